import { type DeviceId, parseSpaceName, ROOT } from '@tidemark/protocol'
import { beforeEach, expect, test } from 'vitest'
import { MemoryKeyValueStore } from '../adapters/memory-store.js'
import { entryKey } from '../core/view-entry.js'
import { nodePlatform } from '../node/index.js'
import { SpaceDatabase } from './space-database.js'

const OURS = 'a'.repeat(16) as DeviceId
const OTHER = 'b'.repeat(16) as DeviceId

let database: SpaceDatabase

beforeEach(async () => {
  const { clock, random, hasher } = nodePlatform
  database = await SpaceDatabase.open({
    storage: new MemoryKeyValueStore(),
    space: parseSpaceName('photos'),
    device: OURS,
    mode: 'direct',
    clock,
    random,
    sha256: (bytes) => hasher.sha256(bytes),
  })
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
