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
const OTHER = '9'.repeat(16) as ReplicaId

class Full extends MemoryKeyValueStore {
  /** Keys with this in them do not fit. */
  full: string | undefined
  override async batch(...args: Parameters<MemoryKeyValueStore['batch']>) {
    const { full } = this
    if (full !== undefined && args[0].some(({ key }) => key.includes(full))) throw new Error('no room')
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
const file = (name: string, byte: string) =>
  ({
    type: 'create',
    ref: name,
    parent: { node: ROOT },
    name,
    kind: 'file',
    content: { root: byte.repeat(64) as ChunkId, height: 0, size: 1, mtimeMs: 1 },
  }) as const

/** A device that has a file of its own, and a hub that has collected. */
async function leftBehind() {
  const storage = new Full()
  const database = await open(storage)
  await database.commit([file('shared', '1')])
  const frontier = new Map([...database.frontier, [OTHER, 5] as const])
  await database.commit([file('only here', '2')])
  const floor = new Map([[OTHER, 5]])
  const cursor = { run: 'f'.repeat(16) as RunId, lseq: 1 }
  return { storage, database, frontier, point: { cursor, frontier, met: frontier, floor, lost: new Map() } }
}

test.each(['z/aside/', 'z/o/'])(
  '[GC17] beginning anew that finds no room (%s) goes on when there is room again',
  async (full) => {
    const { storage, database, frontier, point } = await leftBehind()
    storage.full = full
    await expect(database.rejoin(HUB, { frontier }, 'forget')).rejects.toThrow('no room')
    await expect(database.resumeRejoin()).rejects.toThrow('no room')
    storage.full = undefined
    await database.resumeRejoin()
    await database.syncPoint(HUB, point)
    expect([database.isRejoining, database.rejoins, await names(database)]).toEqual([false, 1, ['only here']])
  },
)

test('[EX6] nothing of a peer is taken between a beginning that found no room and the next OPEN', async () => {
  const { storage, database, frontier, point } = await leftBehind()
  const { rejoins } = database
  storage.full = 'z/aside/'
  await expect(database.rejoin(HUB, { frontier }, 'forget')).rejects.toThrow('no room')
  storage.full = undefined
  await database.syncPoint(HUB, point, rejoins)
  await database.resumeRejoin()
  expect((await database.peer(HUB)).cursor).toBeUndefined()
  expect(database.isRejoining).toBe(true)
})

test('[GC17] what only this device had comes back with the next sync point, though there was no room for it at first', async () => {
  const { storage, database, frontier, point } = await leftBehind()
  await database.rejoin(HUB, { frontier }, 'forget')
  storage.full = 'r/n/'
  await expect(database.syncPoint(HUB, point)).rejects.toThrow('no room')
  storage.full = undefined
  await database.syncPoint(HUB, point)
  expect([database.isRejoining, await names(database)]).toEqual([false, ['only here']])
})

test('[GC17] what only this device had comes back before it begins anew once more', async () => {
  const { storage, database, frontier, point } = await leftBehind()
  await database.rejoin(HUB, { frontier }, 'forget')
  storage.full = 'r/n/'
  await expect(database.syncPoint(HUB, point)).rejects.toThrow('no room')
  storage.full = undefined
  await database.rejoin(HUB, { frontier }, 'forget')
  // The hub is put back to a backup: what was forgotten for its sake comes back.
  expect(await database.restoreIfBaseLost(HUB, new Map())).toBe(true)
  expect(await names(database)).toEqual(['only here'])
})
