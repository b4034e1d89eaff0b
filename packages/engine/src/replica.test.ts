import { createMemoryTransportPair } from '@tidemark/protocol/memory'
import { expect, onTestFinished, test } from 'vitest'
import { MemoryKeyValueStore } from './adapters/memory-store.js'
import { nodePlatform } from './node/index.js'
import { openReplica, type Replica, type ReplicaOptions } from './replica.js'

async function replicaWith(options: Partial<ReplicaOptions> = {}): Promise<Replica> {
  const replica = await openReplica({
    storage: new MemoryKeyValueStore(),
    platform: nodePlatform,
    ...options,
  })
  onTestFinished(() => replica.close().catch(() => undefined))
  return replica
}

/** Says whether it was closed. */
class ClosingStore extends MemoryKeyValueStore {
  isClosed = false

  override async close(): Promise<void> {
    this.isClosed = true
  }
}

test('a replica closes its database whatever else fails while it closes', async () => {
  const storage = new ClosingStore()
  const failing = { put: nope, get: nope, close: nope }
  const replica = await replicaWith({ storage, platform: { ...nodePlatform, blobClient: () => failing } })
  replica.connect({ ...createMemoryTransportPair().transport, httpBase: 'http://127.0.0.1:1' })
  await expect(replica.close()).rejects.toThrow('nope')
  expect(storage.isClosed).toBe(true)
})

async function nope(): Promise<never> {
  throw new Error('nope')
}
