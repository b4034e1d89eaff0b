import * as fs from 'node:fs'
import { MemoryKeyValueStore } from '@tidemark/engine'
import { expect, test } from 'vitest'
import { type Bound, bind, hub, onDisk, READER_AND_WRITER, writerAndReader } from './fixture.js'

type Path = Bound['path']
const timeout = 20_000

/** Path → inode number, of all that stands there. */
const inodes = (directory: string): Record<string, number> => {
  const paths = Object.keys(onDisk(directory))
  return Object.fromEntries(paths.map((path) => [path, fs.lstatSync(`${directory}/${path}`).ino]))
}

/**
 * Somebody who may only read, and then somebody who may write, make one change.
 * @returns both, when the two are equal and nothing is held any more, and the inodes of what stood at the reader's before.
 */
async function bothChange(
  make: (path: Path) => void,
  change: (path: Path, who: 'reader' | 'writer') => void,
): Promise<{ readonly writer: Bound; readonly reader: Bound; readonly before: Record<string, number> }> {
  const both = await writerAndReader()
  const { writer, reader } = both
  make(writer.path)
  await writer.binding.settled()
  await expect.poll(() => onDisk(reader.directory), { timeout }).toEqual(onDisk(writer.directory))
  change(reader.path, 'reader')
  await expect.poll(() => reader.binding.status.state, { timeout }).toBe('held')
  const before = inodes(reader.directory)
  change(writer.path, 'writer')
  await writer.binding.settled()
  await expect.poll(() => reader.binding.status, { timeout }).toMatchObject({ state: 'idle', problems: [] })
  expect(onDisk(reader.directory)).toEqual(onDisk(writer.directory))
  return { ...both, before }
}

const tree = (path: Path): void => {
  fs.mkdirSync(path('d/e'), { recursive: true })
  for (const name of ['d/x', 'd/e/y', 'g']) fs.writeFileSync(path(name), name)
}

test('[AC2] what others delete too is held no more', async () => {
  await bothChange(tree, (path) => fs.rmSync(path('d/x')))
})

test('[AC2] a directory that others delete too is held no more', async () => {
  await bothChange(tree, (path) => fs.rmSync(path('d'), { recursive: true }))
})

test('[AC2] what others move too is held no more, and stays what it is for both', async () => {
  const { writer, reader, before } = await bothChange(tree, (path) => fs.renameSync(path('g'), path('d/h')))
  expect(inodes(reader.directory)).toEqual(before)
  fs.writeFileSync(writer.path('d/h'), 'edited')
  await expect.poll(() => onDisk(reader.directory), { timeout }).toEqual(onDisk(writer.directory))
})

test('[AC2] a directory that others move too is held no more', async () => {
  await bothChange(tree, (path) => fs.renameSync(path('d/e'), path('f')))
})

test('[AC2] a directory that others make too is held no more, and what they put there comes', async () => {
  await bothChange(tree, (path, who) => {
    fs.mkdirSync(path('n/o'), { recursive: true })
    fs.writeFileSync(path('n/same'), 'same')
    if (who === 'writer') fs.writeFileSync(path('n/o/more'), 'more')
  })
})

test('[AC2] what others edit in the same way, or make executable too, is held no more', async () => {
  const { reader, before } = await bothChange(tree, (path) => {
    fs.writeFileSync(path('d/x'), 'edited')
    fs.chmodSync(path('g'), 0o755)
  })
  expect(inodes(reader.directory)).toEqual(before)
  expect(fs.statSync(reader.path('g')).mode & 0o100).toBe(0o100)
})

test('[AC2] of a file that others make executable too, and edit, their bytes come', async () => {
  const { reader } = await bothChange(tree, (path, who) => {
    fs.chmodSync(path('g'), 0o755)
    if (who === 'writer') fs.writeFileSync(path('g'), 'edited')
  })
  expect(fs.readFileSync(reader.path('g'), 'utf8')).toBe('edited')
})

test('[AC2] what stands in the place of a directory for others too is held no more', async () => {
  await bothChange(tree, (path) => {
    fs.rmSync(path('d'), { recursive: true })
    fs.writeFileSync(path('d'), 'a file')
  })
})

test('[AC2] a directory in the place of a file, with that in it, for others too is held no more', async () => {
  await bothChange(tree, (path) => {
    fs.renameSync(path('g'), path('between.tmp'))
    fs.mkdirSync(path('g'))
    fs.renameSync(path('between.tmp'), path('g/inside'))
  })
})

test('[AC2] a reader whose database was put back holds nothing of what it had received since', async () => {
  const theHub = await hub({ tokens: READER_AND_WRITER })
  const writer = await bind({ hub: theHub, token: 'writer' })
  const storage = new MemoryKeyValueStore()
  const reader = await bind({ hub: theHub, token: 'reader', storage })
  tree(writer.path)
  await writer.binding.settled()
  await expect.poll(() => onDisk(reader.directory), { timeout }).toEqual(onDisk(writer.directory))
  await reader.binding.settled()
  await reader.binding.close()
  await reader.replica.close()
  const backup = new MemoryKeyValueStore({ entries: storage.entries({ gte: '', lt: '\uffff' }) })
  const again = await bind({ hub: theHub, token: 'reader', storage, directory: reader.directory })
  fs.writeFileSync(writer.path('d/x'), 'edited')
  fs.renameSync(writer.path('g'), writer.path('d/g'))
  fs.rmSync(writer.path('d/e'), { recursive: true })
  fs.mkdirSync(writer.path('n'))
  fs.writeFileSync(writer.path('n/new'), 'new')
  await writer.binding.settled()
  await expect.poll(() => onDisk(reader.directory), { timeout }).toEqual(onDisk(writer.directory))
  await again.binding.settled()
  await again.binding.close()
  await again.replica.close()
  const before = inodes(reader.directory)
  const restored = await bind({
    hub: theHub,
    token: 'reader',
    storage: backup,
    directory: reader.directory,
  })
  await expect.poll(() => restored.binding.status, { timeout }).toMatchObject({ state: 'idle', problems: [] })
  expect(inodes(reader.directory)).toEqual(before)
  expect(onDisk(reader.directory)).toEqual(onDisk(writer.directory))
})

/** A reader edits `d/x` and makes `d/new`, and others move the directory of both. */
async function heldInMovedDirectory(): Promise<{ readonly writer: Bound; readonly reader: Bound }> {
  const both = await writerAndReader()
  const { writer, reader } = both
  tree(writer.path)
  await writer.binding.settled()
  await expect.poll(() => onDisk(reader.directory), { timeout }).toEqual(onDisk(writer.directory))
  fs.writeFileSync(reader.path('d/x'), 'edited')
  fs.writeFileSync(reader.path('d/new'), 'new')
  fs.rmSync(reader.path('d/e/y'))
  await expect.poll(() => reader.binding.status.held?.entries, { timeout }).toBe(3)
  fs.renameSync(writer.path('d'), writer.path('elsewhere'))
  await writer.binding.settled()
  await expect.poll(() => onDisk(reader.directory)['elsewhere/x'], { timeout }).toBe('edited')
  return both
}

test('[AC2] what is held in a directory that others move is named where it is, and can be undone by hand', async () => {
  const { reader } = await heldInMovedDirectory()
  const held = () => reader.binding.status.problems.map(({ path }) => path).sort()
  await expect.poll(held, { timeout }).toEqual(['elsewhere/e/y', 'elsewhere/new', 'elsewhere/x'])
  fs.writeFileSync(reader.path('elsewhere/x'), 'd/x')
  fs.writeFileSync(reader.path('elsewhere/e/y'), 'd/e/y')
  fs.rmSync(reader.path('elsewhere/new'))
  await expect.poll(() => reader.binding.status, { timeout }).toMatchObject({ state: 'idle', problems: [] })
})

test('[AC2] what is held in a directory that others move is reverted where it is', async () => {
  const { writer, reader } = await heldInMovedDirectory()
  await reader.binding.settled()
  expect(await reader.binding.revert()).toEqual([])
  await expect.poll(() => onDisk(reader.directory), { timeout }).toEqual(onDisk(writer.directory))
  await expect.poll(() => reader.binding.status, { timeout }).toMatchObject({ state: 'idle', problems: [] })
})

test('[FB14] a reader keeps the rules of a directory that others delete, and that lives on: nothing of it is held', async () => {
  const theHub = await hub({ tokens: READER_AND_WRITER })
  const [ann, bob] = [
    await bind({ hub: theHub, token: 'writer' }),
    await bind({ hub: theHub, token: 'writer' }),
  ]
  const reader = await bind({ hub: theHub, token: 'reader' })
  fs.mkdirSync(bob.path('d'))
  fs.writeFileSync(bob.path('d/.tidemarkignore'), '*.mine\n')
  await bob.binding.settled()
  await ann.binding.settled()
  await reader.binding.settled()
  fs.writeFileSync(reader.path('d/secret.mine'), 'secret')
  await reader.binding.settled()
  await bob.binding.close()
  await bob.replica.close()
  fs.rmSync(bob.path('d'), { recursive: true })
  fs.writeFileSync(ann.path('d/new'), 'new')
  await ann.binding.settled()
  const again = await bind({
    hub: theHub,
    token: 'writer',
    directory: bob.directory,
    storage: bob.storage,
  })
  await again.binding.settled()
  const kept = { 'd/.tidemarkignore': '*.mine\n', 'd/secret.mine': 'secret', 'd/new': 'new' }
  await expect.poll(() => onDisk(reader.directory), { timeout: 15_000 }).toMatchObject(kept)
  await expect.poll(() => onDisk(again.directory), { timeout: 15_000 }).toMatchObject({ 'd/new': 'new' })
  await reader.binding.settled()
  expect(reader.binding.status.held).toBeUndefined()
  await reader.binding.revert()
  await reader.binding.settled()
  expect(onDisk(reader.directory)).toMatchObject(kept)
}, 60_000)
