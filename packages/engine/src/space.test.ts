import { MemoryBlobStore } from '@tidemark/protocol/memory'
import { expect, onTestFinished, test } from 'vitest'
import { MemoryKeyValueStore } from './adapters/memory-store.js'
import { nodePlatform } from './node/index.js'
import { openReplica, type Replica, type ReplicaOptions } from './replica.js'

const { hasher } = nodePlatform
const blobStore = () =>
  new MemoryBlobStore({ sha256: (bytes) => hasher.sha256(bytes), now: () => Date.now() })

async function replicaWith(options: Partial<ReplicaOptions> = {}): Promise<Replica> {
  const storage = new MemoryKeyValueStore()
  const replica = await openReplica({ storage, platform: nodePlatform, blobs: blobStore(), ...options })
  onTestFinished(() => replica.close())
  return replica
}

test('a program may use its buffer again once a small file is written', async () => {
  const replica = await replicaWith()
  const space = await replica.openSpace('photos')
  const buffer = new Uint8Array(1_000).fill(7)
  await space.write('a', buffer)
  buffer.fill(9)
  const signal = AbortSignal.timeout(5_000)
  expect(await space.readFile('a', { signal })).toEqual(new Uint8Array(1_000).fill(7))
})

test('bytes that change while a small file is written never ride along with it', async () => {
  const replica = await replicaWith()
  const space = await replica.openSpace('photos')
  const bytes = new Uint8Array(1_000).fill(7)
  let reads = 0
  const source = {
    size: bytes.length,
    // Chunked, and kept: what is read after that differs.
    read: async (offset: number, length: number) =>
      (++reads > 2 ? new Uint8Array(1_000) : bytes).slice(offset, offset + length),
    close: async () => undefined,
  }
  await space.write('a', source)
  const signal = AbortSignal.timeout(5_000)
  expect(await space.readFile('a', { signal })).toEqual(bytes)
})
