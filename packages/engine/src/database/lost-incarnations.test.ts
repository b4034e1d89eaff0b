import { type DeviceId, parseSpaceName, ROOT, type RunId } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { MemoryKeyValueStore } from '../adapters/memory-store.js'
import { nodePlatform } from '../node/index.js'
import { SpaceDatabase } from './space-database.js'

const PEER = 'b'.repeat(16) as DeviceId
const SWEEP = 'c'.repeat(16) as RunId

class Full extends MemoryKeyValueStore {
  isFull = false
  override async batch(...args: Parameters<MemoryKeyValueStore['batch']>) {
    if (this.isFull) throw new Error('no room')
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

test('[GC17] a lost incarnation is known for good, though there was no room for it at first (seed 640619)', async () => {
  const storage = new Full()
  const first = await open(storage)
  await first.commit([{ type: 'create', ref: 'd', parent: { node: ROOT }, name: 'd', kind: 'dir' }])
  const [[rid, seq]] = [...first.frontier] as [[Parameters<typeof first.frontier.get>[0], number]]
  const database = await open(storage)
  // The database went back: the peer met more of the earlier run than it knows.
  const word = { met: new Map([[rid, seq + 3]]), sweep: SWEEP }
  storage.isFull = true
  await expect(database.noteOpen(PEER, word)).rejects.toThrow('no room')
  expect(database.lost).toEqual(new Map())
  storage.isFull = false
  await database.noteOpen(PEER, word)
  expect(database.lost).toEqual(new Map([[rid, seq]]))
  expect((await open(storage)).lost).toEqual(new Map([[rid, seq]]))
})
