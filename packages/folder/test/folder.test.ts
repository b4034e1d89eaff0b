import * as fs from 'node:fs'
import { webSocketTransport } from '@tidemark/transport-ws'
import { expect, test } from 'vitest'
import { type BindOptions, type Bound, bind, hub, onDisk, temporaryDirectory } from './fixture.js'

/** Everybody settled, twice around: the second round brings what the first made the others write. */
async function settle(...bound: Bound[]): Promise<void> {
  for (let round = 0; round < 2; round++) {
    for (const { binding } of bound) {
      const status = await binding.settled({ signal: AbortSignal.timeout(20_000) })
      expect(status).toMatchObject({ state: 'idle', problems: [] })
    }
  }
}

async function two(options: BindOptions = {}): Promise<[Bound, Bound]> {
  const theHub = await hub()
  return [await bind({ hub: theHub, ...options }), await bind({ hub: theHub, ...options })]
}

test('what is made on one side is on the other: files, directories, symlinks, the executable bit', async () => {
  const [a, b] = await two()
  fs.mkdirSync(a.path('d/e'), { recursive: true })
  fs.writeFileSync(a.path('d/e/f'), 'hello')
  fs.writeFileSync(a.path('empty'), '')
  fs.writeFileSync(a.path('run'), '#!/bin/sh\n', { mode: 0o755 })
  fs.writeFileSync(a.path('large'), Buffer.alloc(9 * 1024 * 1024, 'x'))
  fs.symlinkSync('d/e/f', a.path('link'))
  await settle(a, b)
  expect(onDisk(b.directory)).toEqual(onDisk(a.directory))
  expect(fs.statSync(b.path('run')).mode & 0o111).toBe(0o111)
  expect(fs.statSync(b.path('d/e/f')).mtimeMs).toBeCloseTo(fs.statSync(a.path('d/e/f')).mtimeMs, -1)
})

test('what comes in obeys the umask, whatever its size', async () => {
  const [a, b] = await two()
  const sizes = { small: 1, large: 300_000 }
  const before = process.umask(0o077)
  try {
    for (const [name, size] of Object.entries(sizes)) {
      fs.writeFileSync(a.path(name), Buffer.alloc(size, name), { mode: 0o644 })
      fs.writeFileSync(a.path(`${name} copy`), Buffer.alloc(size, name), { mode: 0o644 })
      fs.writeFileSync(a.path(`${name} program`), Buffer.alloc(size, `#${name}`), { mode: 0o755 })
    }
    await settle(a, b)
  } finally {
    process.umask(before)
  }
  const modes = Object.keys(sizes).flatMap((name) =>
    ['', ' copy', ' program'].map((kind) => fs.statSync(b.path(name + kind)).mode & 0o777),
  )
  expect(modes).toEqual([0o600, 0o600, 0o700, 0o600, 0o600, 0o700])
  // A file that its owner opened to others keeps that.
  fs.chmodSync(b.path('large'), 0o664)
  fs.writeFileSync(a.path('large'), Buffer.alloc(400_000, 'edited'))
  await settle(b, a)
  expect(fs.statSync(b.path('large')).mode & 0o777).toBe(0o664)
})

test('edits, renames, mode changes and deletions travel both ways', async () => {
  const [a, b] = await two()
  fs.mkdirSync(a.path('d'))
  for (const name of ['one', 'two', 'three', 'd/four']) fs.writeFileSync(a.path(name), name)
  await settle(a, b)
  fs.writeFileSync(b.path('one'), 'edited on b')
  fs.renameSync(b.path('d'), b.path('moved'))
  fs.rmSync(a.path('two'))
  fs.chmodSync(a.path('three'), 0o755)
  await settle(a, b)
  expect(onDisk(a.directory)).toEqual({
    one: 'edited on b',
    three: 'three',
    moved: '/',
    'moved/four': 'd/four',
  })
  expect(onDisk(b.directory)).toEqual(onDisk(a.directory))
  expect(fs.statSync(b.path('three')).mode & 0o100).toBe(0o100)
})

test('a change is live: the other side has it without being asked', async () => {
  const [a, b] = await two()
  await settle(a, b)
  fs.writeFileSync(a.path('note'), 'live')
  await expect.poll(() => onDisk(b.directory), { timeout: 3_000 }).toEqual({ note: 'live' })
  fs.writeFileSync(b.path('note'), 'and back')
  await expect.poll(() => onDisk(a.directory), { timeout: 3_000 }).toEqual({ note: 'and back' })
})

test('two folders with equal trees are imported into one space without a copy and without a transfer', async () => {
  const directories = [temporaryDirectory(), temporaryDirectory()]
  for (const directory of directories) {
    fs.mkdirSync(`${directory}/d`)
    fs.writeFileSync(`${directory}/d/same`, 'same bytes')
    fs.writeFileSync(`${directory}/top`, 'top')
  }
  const theHub = await hub()
  const a = await bind({ hub: theHub, directory: directories[0]! })
  await settle(a)
  const b = await bind({ hub: theHub, directory: directories[1]! })
  await settle(a, b)
  expect(onDisk(b.directory)).toEqual({ d: '/', 'd/same': 'same bytes', top: 'top' })
  expect(onDisk(a.directory)).toEqual(onDisk(b.directory))
  expect(b.events.filter(({ type }) => type === 'sent' || type === 'applied')).toEqual([])
})

test('two folders imported at the same time meet in one tree', async () => {
  const directories = [temporaryDirectory(), temporaryDirectory()]
  for (const [i, directory] of directories.entries()) {
    fs.mkdirSync(`${directory}/d`)
    fs.writeFileSync(`${directory}/d/same`, 'same bytes')
    fs.writeFileSync(`${directory}/d/only ${i}`, `${i}`)
  }
  const theHub = await hub()
  const [a, b] = await Promise.all(directories.map((directory) => bind({ hub: theHub, directory })))
  await settle(a!, b!)
  expect(onDisk(a!.directory)).toEqual({ d: '/', 'd/same': 'same bytes', 'd/only 0': '0', 'd/only 1': '1' })
  expect(onDisk(b!.directory)).toEqual(onDisk(a!.directory))
})

test('a file that differs from the space’s at the import is kept beside it, on both sides', async () => {
  const theHub = await hub()
  const a = await bind({ hub: theHub })
  fs.writeFileSync(a.path('note.txt'), 'the space’s')
  await settle(a)
  const directory = temporaryDirectory()
  fs.writeFileSync(`${directory}/note.txt`, 'the newcomer’s')
  const b = await bind({ hub: theHub, directory })
  await settle(a, b)
  const tree = onDisk(a.directory)
  expect(onDisk(b.directory)).toEqual(tree)
  expect(tree['note.txt']).toBe('the space’s')
  expect(Object.keys(tree)).toHaveLength(2)
  expect(Object.values(tree)).toContain('the newcomer’s')
})

test('concurrent edits keep both versions, and both sides show the same', async () => {
  const theHub = await hub()
  const a = await bind({ hub: theHub, watch: false })
  const b = await bind({ hub: theHub, watch: false })
  fs.writeFileSync(a.path('f'), 'base')
  await settle(a, b)
  fs.writeFileSync(a.path('f'), 'from a')
  fs.writeFileSync(b.path('f'), 'from b')
  await Promise.all([a.binding.settled(), b.binding.settled()])
  await settle(a, b)
  expect(onDisk(a.directory)).toEqual(onDisk(b.directory))
  expect(Object.values(onDisk(a.directory)).sort()).toEqual(['from a', 'from b'])
})

test('a conflict copy that is copied over the file is one with it, on both sides, without being asked', async () => {
  const theHub = await hub()
  const a = await bind({ hub: theHub })
  const b = await bind({ hub: theHub })
  fs.writeFileSync(a.path('f'), 'base')
  await settle(a, b)
  fs.writeFileSync(a.path('f'), 'from a')
  fs.writeFileSync(b.path('f'), 'from b')
  await expect.poll(() => fs.readdirSync(a.directory).length, { timeout: 5_000 }).toBe(3)
  await settle(a, b)
  const copy = fs.readdirSync(a.directory).find((name) => name.includes('conflict'))!
  const text = fs.readFileSync(a.path(copy), 'utf8')
  fs.writeFileSync(a.path('f'), text)
  for (const { directory } of [a, b])
    await expect.poll(() => onDisk(directory), { timeout: 5_000 }).toEqual({ f: text })
})

test.each([0, 1])(
  'of two files with one name, one copied over the other (%i) leaves one, on both sides',
  async (way) => {
    const theHub = await hub()
    const a = await bind({ hub: theHub })
    const b = await bind({ hub: theHub })
    await settle(a, b)
    fs.writeFileSync(a.path('f'), 'from a')
    fs.writeFileSync(b.path('f'), 'from b')
    await expect.poll(() => fs.readdirSync(a.directory).length, { timeout: 5_000 }).toBe(3)
    await settle(a, b)
    const [from, to] = way === 0 ? ['f', 'other'] : ['other', 'f']
    const nameOf = (which: string) =>
      fs.readdirSync(a.directory).find((name) => name !== '.tidemark' && (name === 'f') === (which === 'f'))!
    const text = fs.readFileSync(a.path(nameOf(from)), 'utf8')
    fs.writeFileSync(a.path(nameOf(to)), text)
    for (const { directory } of [a, b])
      await expect.poll(() => onDisk(directory), { timeout: 5_000 }).toEqual({ f: text })
  },
)

test('a folder that is imported with a conflict copy in its file’s place gets the file, and keeps both', async () => {
  const theHub = await hub()
  const a = await bind({ hub: theHub })
  const b = await bind({ hub: theHub })
  fs.writeFileSync(a.path('f'), 'base')
  await settle(a, b)
  fs.writeFileSync(a.path('f'), 'from a')
  fs.writeFileSync(b.path('f'), 'from b')
  await expect.poll(() => fs.readdirSync(a.directory).length, { timeout: 5_000 }).toBe(3)
  await settle(a, b)
  const before = onDisk(a.directory)
  const copy = Object.keys(before).find((name) => name !== 'f')!
  await b.binding.close()
  fs.rmSync(b.path('.tidemark'), { recursive: true })
  fs.copyFileSync(b.path(copy), b.path('f'))
  await bind({ hub: theHub, directory: b.directory })
  const after = { ...before, 'f (2)': before[copy] }
  for (const { directory } of [a, b])
    await expect.poll(() => onDisk(directory), { timeout: 10_000 }).toEqual(after)
})

test('edit here, delete there: the edit survives', async () => {
  const theHub = await hub()
  const a = await bind({ hub: theHub, watch: false })
  const b = await bind({ hub: theHub, watch: false })
  fs.writeFileSync(a.path('f'), 'base')
  await settle(a, b)
  fs.rmSync(a.path('f'))
  fs.writeFileSync(b.path('f'), 'edited')
  await Promise.all([a.binding.settled(), b.binding.settled()])
  await settle(a, b)
  expect(onDisk(a.directory)).toEqual({ f: 'edited' })
  expect(onDisk(b.directory)).toEqual({ f: 'edited' })
})

test('the status says why there is no connection, and forgets it when there is one', async () => {
  const theHub = await hub({ tokens: [{ token: 'right', subject: 'a', spaces: '*', access: 'write' }] })
  const a = await bind({ hub: theHub, token: 'wrong' })
  await expect.poll(() => a.binding.status.detail).toMatch(/^not connected: [A-Z_]+: .*; changes wait here$/)
  expect(a.binding.status.state).toBe('offline')
  const links: (string | undefined)[] = []
  a.space.status$.subscribe(({ error }) => links.push(error?.message))
  a.replica.connect(webSocketTransport(theHub.url), { token: 'right' })
  await expect.poll(() => a.binding.status.state).toBe('idle')
  expect(links[0]).toBeDefined()
  expect(links.at(-1)).toBeUndefined()
})

test('changes made while the hub is away wait on disk, and are sent when it is back', async () => {
  const first = await hub()
  const a = await bind({ hub: first })
  fs.writeFileSync(a.path('f'), 'online')
  await settle(a)
  await first.close()
  await expect.poll(() => a.binding.status.state).toBe('offline')
  fs.writeFileSync(a.path('f'), 'offline')
  await expect.poll(() => a.binding.status.pending).toBeGreaterThan(0)
  expect(a.events.filter(({ type }) => type === 'sent')).toHaveLength(1)
})
