import {
  type ChunkId,
  type DeviceId,
  parseSpaceName,
  type ReplicaId,
  ROOT,
  type RunId,
} from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { MemoryKeyValueStore } from '../adapters/memory-store.js'
import { nodePlatform } from '../node/index.js'
import { SpaceDatabase } from './space-database.js'

const HUB = 'b'.repeat(16) as DeviceId
const PEER = 'd'.repeat(16) as DeviceId
const OTHER = '9'.repeat(16) as ReplicaId

class Watched extends MemoryKeyValueStore {
  /** Called once, when the next node comes into the received tree. */
  onNode: (() => void) | undefined
  failsToEnd = false
  override async batch(...args: Parameters<MemoryKeyValueStore['batch']>) {
    if (this.failsToEnd && args[0].some(({ key, type }) => type === 'del' && key.endsWith('z/state')))
      throw new Error('no room')
    if (args[0].some(({ key, type }) => type === 'put' && key.includes('/r/n/'))) {
      const { onNode } = this
      this.onNode = undefined
      onNode?.()
    }
    return super.batch(...args)
  }
}

const open = (storage: MemoryKeyValueStore) =>
  SpaceDatabase.open({
    storage,
    space: parseSpaceName('photos'),
    device: 'a'.repeat(16) as DeviceId,
    mode: 'direct',
    clock: nodePlatform.clock,
    random: nodePlatform.random,
    sha256: (bytes) => nodePlatform.hasher.sha256(bytes),
  })
const names = async (database: SpaceDatabase) => {
  const all: string[] = []
  for await (const page of database.received.children(ROOT)) all.push(...page.map(({ name }) => name))
  return all.sort()
}

/** A device that awaits the hub's state; all others have deleted its file and collected that. */
async function leftBehind() {
  const storage = new Watched()
  const database = await open(storage)
  const content = { root: '1'.repeat(64) as ChunkId, height: 0, size: 1, mtimeMs: 1 }
  await database.commit([
    { type: 'create', ref: 'f', parent: { node: ROOT }, name: 'collected', kind: 'file', content },
  ])
  const frontier = new Map([...database.frontier, [OTHER, 5] as const])
  await database.rejoin(HUB, { frontier }, 'forget')
  const cursor = { run: 'f'.repeat(16) as RunId, lseq: 1 }
  return { storage, database, point: { cursor, frontier, met: frontier, floor: frontier, lost: new Map() } }
}

test('[GC17] a sync point that comes while what was forgotten comes back finds all of it, and no beginning to end', async () => {
  const { storage, database, point } = await leftBehind()
  let heard: Promise<void> | undefined
  storage.onNode = () => {
    heard = database.syncPoint(PEER, point, database.rejoins)
  }
  // The hub was put back to a backup.
  expect(await database.restoreIfBaseLost(HUB, new Map())).toBe(true)
  await heard
  expect([database.isRejoining, await names(database)]).toEqual([false, ['collected']])
  // The link judges again: all others have collected that.
  expect(database.gc.floor.size).toBe(0)
  expect(database.frontier.has(OTHER)).toBe(false)
})

test('[GC17] what a sync point has ended does not come back', async () => {
  const { database, point } = await leftBehind()
  const [, isLost] = await Promise.all([
    database.syncPoint(PEER, point, database.rejoins),
    database.restoreIfBaseLost(HUB, new Map()),
  ])
  expect([isLost, database.isRejoining, await names(database)]).toEqual([false, false, []])
})

test('[GC17] what came back in part comes back as a whole, whatever other peers say meanwhile', async () => {
  const { storage, database, point } = await leftBehind()
  storage.failsToEnd = true
  await expect(database.restoreIfBaseLost(HUB, new Map())).rejects.toThrow('no room')
  storage.failsToEnd = false
  await database.syncPoint(PEER, point, database.rejoins)
  expect([database.isRejoining, await names(database)]).toEqual([false, ['collected']])
  expect([database.gc.floor.size, database.frontier.has(OTHER)]).toEqual([0, false])
})

test('[GC17] what came back in part comes back as a whole at the next start', async () => {
  const { storage, database } = await leftBehind()
  storage.failsToEnd = true
  await expect(database.restoreIfBaseLost(HUB, new Map())).rejects.toThrow('no room')
  storage.failsToEnd = false
  const again = await open(storage)
  expect([again.isRejoining, await names(again)]).toEqual([false, ['collected']])
})
