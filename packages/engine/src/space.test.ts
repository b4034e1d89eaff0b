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

/** Rejects where it takes seconds. */
const soon = <T>(promise: Promise<T>): Promise<T> =>
  Promise.race([
    promise,
    new Promise<never>((_, reject) => setTimeout(() => reject(new Error('it still waits')), 5_000)),
  ])

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

test('whoever waits for a hub hears that the space was closed, also with a signal of their own', async () => {
  const storage = new MemoryKeyValueStore()
  const replica = await openReplica({ storage, platform: nodePlatform })
  const space = await replica.openSpace('photos')
  const { signal } = new AbortController()
  const waiting = [
    space.settled(),
    space.settled({ signal }),
    space.write('a', 'text'),
    space.write('a', 'text', { signal }),
  ]
  const heard = Promise.allSettled(waiting)
  await replica.close()
  for (const outcome of await soon(heard)) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'CLOSED' } })
  }
  await expect(soon(space.settled())).rejects.toMatchObject({ code: 'CLOSED' })
})

test('whoever reads what only a hub has hears that the space was closed', async () => {
  const storage = new MemoryKeyValueStore()
  const blobs = blobStore()
  const writer = await openReplica({ storage, platform: nodePlatform, blobs })
  await (await writer.openSpace('photos')).write('a', new Uint8Array(1_000))
  await writer.close()
  const reader = await replicaWith({ storage, blobs: blobStore() })
  const space = await reader.openSpace('photos')
  const { signal } = new AbortController()
  const heard = Promise.allSettled([space.readFile('a'), space.readFile('a', { signal }), space.settled()])
  await new Promise((resolve) => setTimeout(resolve, 20))
  await space.close()
  for (const outcome of await soon(heard)) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'CLOSED' } })
  }
})

test('a path that is none is a rejection', async () => {
  const space = await (await replicaWith()).openSpace('photos')
  await expect(space.stat('/x')).rejects.toThrow()
  await expect(space.list('/x')).rejects.toThrow()
})
