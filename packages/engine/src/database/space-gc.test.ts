import { type DeviceId, parseSpaceName, type ReplicaId, ROOT, type RunId } from '@tidemark/protocol'
import { beforeEach, expect, test } from 'vitest'
import { MemoryKeyValueStore } from '../adapters/memory-store.js'
import { entryKey } from '../core/view-entry.js'
import { nodePlatform } from '../node/index.js'
import { SpaceDatabase } from './space-database.js'

const OURS = 'a'.repeat(16) as DeviceId
const OTHER = 'b'.repeat(16) as DeviceId

let storage: MemoryKeyValueStore
let database: SpaceDatabase

function open(storage: MemoryKeyValueStore, device: DeviceId): Promise<SpaceDatabase> {
  const { clock, random, hasher } = nodePlatform
  const sha256 = (bytes: Uint8Array) => hasher.sha256(bytes)
  const space = parseSpaceName('photos')
  return SpaceDatabase.open({ storage, space, device, mode: 'direct', clock, random, sha256 })
}

beforeEach(async () => {
  storage = new MemoryKeyValueStore()
  database = await open(storage, OURS)
  const made = await database.commit([
    { type: 'create', ref: 'dir', parent: { node: ROOT }, name: 'old', kind: 'dir' },
  ])
  await database.commit([{ type: 'delete', entry: entryKey(made.created.get('dir')!) }])
})

const deadCount = async (): Promise<number> => {
  let count = 0
  for await (const page of database.gc.dead()) count += page.length
  return count
}

test('[GC16] what the only member has deleted is gone after two steps', async () => {
  await database.gc.setMembers([OURS])
  await database.gc.acknowledge()
  expect([await database.gc.collect(), await deadCount()]).toEqual([0, 1])
  expect([await database.gc.collect(), await deadCount()]).toEqual([1, 0])
  expect([...database.gc.floor.values()]).toEqual([2])
})

test('[GC15] nothing is collected while a member has not acknowledged, or has under another list only', async () => {
  await database.gc.setMembers([OURS, OTHER])
  await database.gc.acknowledge()
  await database.gc.collect()
  expect(await database.gc.collect()).toBe(0)
  const applied = database.frontier
  await database.gc.takeAcks([{ device: OTHER, epoch: 7, applied, stable: applied }])
  expect([await database.gc.collect(), await deadCount()]).toEqual([0, 1])
})

test('devices that are admitted at once are all members', async () => {
  const third = 'c'.repeat(16) as DeviceId
  await Promise.all([database.gc.admit(OTHER), database.gc.admit(third)])
  expect(database.gc.members.devices).toEqual([OURS, OTHER, third])
  await Promise.all([database.gc.evict(OTHER), database.gc.renewEpoch()])
  expect(database.gc.members.devices).toEqual([OURS, third])
})

test('[GC15] a member that has applied what has not come here holds collection up', async () => {
  await database.gc.setMembers([OURS, OTHER])
  await database.gc.acknowledge()
  const { epoch } = database.gc.members
  const ahead = new Map([...database.frontier].map(([rid, seq]) => [rid, seq + 1]))
  await database.gc.takeAcks([{ device: OTHER, epoch, applied: ahead, stable: ahead }])
  await database.gc.collect()
  expect([await database.gc.collect(), await deadCount()]).toEqual([0, 1])
})

test('without members nothing is ever collected', async () => {
  expect(await database.gc.acknowledge()).toBe(false)
  expect([await database.gc.collect(), await deadCount()]).toEqual([0, 1])
})

test('[EX11] a copy of a device that never met anybody believes what was collected before (seed 10492 of refuse)', async () => {
  const copy = await open(storage, 'd'.repeat(16) as DeviceId)
  const collected = new Map([['e'.repeat(16) as ReplicaId, 3]])
  const cursor = { run: 'f'.repeat(16) as RunId, lseq: 1 }
  const point = { cursor, frontier: collected, met: collected, lost: new Map(), floor: collected }
  await copy.syncPoint(OTHER, point)
  expect(copy.frontier.get('e'.repeat(16) as ReplicaId)).toBe(3)
  // From then on it has met everything.
  const more = new Map([['e'.repeat(16) as ReplicaId, 4]])
  const claim = copy.syncPoint(OTHER, { ...point, frontier: more, met: more, floor: more })
  await expect(claim).rejects.toMatchObject({ code: 'FRONTIER_UNFOUNDED' })
})
