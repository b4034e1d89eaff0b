import { randomUUID } from 'node:crypto'
import * as fs from 'node:fs'
import { MemoryKeyValueStore, openReplica } from '@tidemark/engine'
import { nodePlatform, systemClock, systemTimers } from '@tidemark/engine/node'
import { bindFolder, type FileSystem } from '@tidemark/folder'
import { SimulatedDisk } from '@tidemark/folder/testing'
import type { Hub } from '@tidemark/server-reference'
import { webSocketTransport } from '@tidemark/transport-ws'
import { expect, test } from 'vitest'
import { nodeFileSystem } from '../src/adapters/node-file-system.js'
import { atEnd, bind, bindOn, hub, onDisk } from './fixture.js'

const ROOT = '/folder'
const POLL = { timeout: 10_000 }

async function program(disk: SimulatedDisk, storage: MemoryKeyValueStore, { url }: Hub) {
  const replica = await openReplica({ storage, platform: nodePlatform })
  atEnd(() => replica.close())
  replica.connect(webSocketTransport(url))
  const space = await replica.openSpace('default', { bound: true })
  const parts = {
    files: disk,
    openWatcher: () => ({ add: () => {}, covers: () => true, sweep: () => {}, close: () => {} }),
    clock: systemClock,
    timers: systemTimers,
    lock: () => () => undefined,
    realDirectory: (path: string) => path,
    newId: randomUUID,
  }
  const binding = await bindFolder(space.binding, ROOT, {}, parts)
  atEnd(() => binding.close())
  const end = async () => {
    await binding.close()
    await replica.close()
  }
  return { binding, end }
}

/** Of bytes that nobody made durable: what was there before, or nothing at all. Of names: none. */
const OLD = { below: () => 0 }
const TORN = { below: (below: number) => (below === 4 ? 3 : 0) }

test.each([
  ['is old again', OLD],
  ['is torn', TORN],
])(
  '[CR18] what nobody made durable before it was sent, and a power cut would take: it %s for nobody',
  async (_, random) => {
    const theHub = await hub()
    const bob = await bind({ hub: theHub })
    const disk = new SimulatedDisk({ clock: systemClock })
    const storage = new MemoryKeyValueStore()
    disk.mkdir(ROOT)
    for (const [name, text] of Object.entries({ g: 'old', again: 'same', moved: 'moved' }))
      disk.writeNew(`${ROOT}/${name}`, Buffer.from(text), { mode: 0o644 })
    await disk.syncAll()
    const first = await program(disk, storage, theHub)
    await first.binding.settled()
    // As most programs write.
    disk.overwrite(`${ROOT}/g`, Buffer.from('newer'))
    disk.overwrite(`${ROOT}/again`, Buffer.from('same'))
    disk.writeNew(`${ROOT}/f`, Buffer.from('f'), { mode: 0o644 })
    disk.mkdir(`${ROOT}/d`)
    disk.mkdir(`${ROOT}/d/e`)
    disk.writeNew(`${ROOT}/d/e/f`, Buffer.from('below'), { mode: 0o644 })
    disk.rename(`${ROOT}/moved`, `${ROOT}/d/moved`)
    disk.symlink('f', `${ROOT}/d/link`)
    await first.binding.settled()
    const all = {
      again: 'same',
      d: '/',
      'd/e': '/',
      'd/e/f': 'below',
      'd/link': '→ f',
      'd/moved': 'moved',
      f: 'f',
      g: 'newer',
    }
    await expect.poll(() => onDisk(bob.directory), POLL).toEqual(all)
    await first.end()
    // The database has all: it is on another disk, or what came last made it durable.
    disk.powerCut(random)
    const second = await program(disk, storage, theHub)
    await second.binding.settled()
    // A second program writes after the first: it has been heard of when bob has its file.
    disk.writeNew(`${ROOT}/last`, Buffer.from('last'), { mode: 0o644 })
    await second.binding.settled()
    await expect.poll(() => onDisk(bob.directory), POLL).toEqual({ ...all, last: 'last' })
  },
  30_000,
)

/** The disk of this machine. @param sync In the place of the call that makes a file or a directory durable. */
function syncing(sync: (path: string) => Promise<void>, calls: Partial<FileSystem> = {}): FileSystem {
  const open: FileSystem['open'] = (path, flags, mode) => {
    const file = nodeFileSystem.open(path, flags, mode)
    return {
      stat: () => file.stat(),
      read: (...args) => file.read(...args),
      write: (...args) => file.write(...args),
      truncate: (size) => file.truncate(size),
      sync: () => (path.includes('/.tidemark/') ? file.sync() : sync(path)),
      close: () => file.close(),
    }
  }
  return { ...nodeFileSystem, open, ...calls }
}

const refused = (code: string) => Object.assign(new Error(code), { code })

test('[CR18] nobody is told of a file before it is durable, and its name', async () => {
  const theHub = await hub()
  let release = () => {}
  const released = new Promise<void>((resolve) => (release = resolve))
  const begun: string[] = []
  const files = syncing((path) => {
    begun.push(path)
    return released
  })
  const ann = await bindOn({ files }, { hub: theHub })
  const bob = await bind({ hub: theHub })
  atEnd(release)
  await ann.binding.settled()
  fs.writeFileSync(ann.path('f'), 'f')
  await expect.poll(() => [...begun].sort(), POLL).toEqual([ann.directory, ann.path('f')])
  // What bob makes now comes after what ann was able to tell.
  fs.writeFileSync(bob.path('b'), 'b')
  await bob.binding.settled()
  expect(onDisk(bob.directory)).toEqual({ b: 'b' })
  expect(ann.events.filter(({ type }) => type === 'sent')).toEqual([])
  release()
  await expect.poll(() => onDisk(bob.directory), POLL).toEqual({ b: 'b', f: 'f' })
}, 30_000)

test('[CR18] a file that the disk cannot keep is a problem of its path, and is not sent; the others are', async () => {
  const theHub = await hub()
  let isBroken = true
  const files = syncing(async (path) => {
    if (path.endsWith('/bad') && isBroken) throw refused('EIO')
  })
  const ann = await bindOn({ files }, { hub: theHub })
  const bob = await bind({ hub: theHub })
  fs.writeFileSync(ann.path('bad'), 'bad')
  fs.writeFileSync(ann.path('good'), 'good')
  await expect.poll(() => onDisk(bob.directory), POLL).toEqual({ good: 'good' })
  const problems = () => ann.binding.status.problems.map(({ path, cause }) => ({ path, cause }))
  await expect.poll(problems, POLL).toEqual([{ path: 'bad', cause: 'unreadable' }])
  isBroken = false
  await expect.poll(() => onDisk(bob.directory), POLL).toEqual({ bad: 'bad', good: 'good' })
  expect(problems()).toEqual([])
}, 30_000)

test.each(['EROFS', 'EINVAL', 'EACCES'])(
  'where a disk makes nothing durable (%s) files are sent',
  async (code) => {
    const theHub = await hub()
    const files = syncing(async () => {
      throw refused(code)
    })
    const ann = await bindOn({ files }, { hub: theHub })
    const bob = await bind({ hub: theHub })
    fs.writeFileSync(ann.path('f'), 'f')
    await expect.poll(() => onDisk(bob.directory), POLL).toEqual({ f: 'f' })
    expect(ann.binding.status.problems).toEqual([])
  },
  30_000,
)

test('many files are made durable with their disk; an edit in place by itself, without its directory', async () => {
  const theHub = await hub()
  let volumes = 0
  const synced: string[] = []
  const files = syncing(async (path) => void synced.push(path), {
    syncAll: async () => void volumes++,
  })
  const ann = await bindOn({ files }, { hub: theHub })
  await ann.binding.close()
  const names = Array.from({ length: 40 }, (_, i) => `f${i}`)
  for (const name of names) fs.writeFileSync(ann.path(name), name)
  const { directory, storage } = ann
  await ann.replica.close()
  const again = await bindOn({ files }, { hub: theHub, directory, storage })
  await again.binding.settled()
  expect(volumes).toBe(1)
  expect(synced).toEqual([])
  fs.writeFileSync(ann.path('f7'), 'another')
  await expect.poll(() => synced, POLL).toEqual([ann.path('f7')])
  await again.binding.settled()
  expect(volumes).toBe(1)
}, 30_000)

test('a disk that does not answer holds up neither a decision nor the end', async () => {
  const files = syncing((path) => (path.endsWith('/slow') ? new Promise(() => undefined) : Promise.resolve()))
  const { binding, path, space } = await bindOn({ files }, { hub: await hub() })
  await binding.settled()
  fs.writeFileSync(path('slow'), 's')
  await expect.poll(() => binding.status.state, POLL).toBe('busy')
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(await binding.revert()).toEqual([])
  await binding.close()
  expect(await space.stat('slow')).toBeUndefined()
}, 30_000)
