import { createCipheriv, createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  MemoryKeyValueStore,
  openReplica,
  type Replica,
  type ReplicaOptions,
  type Space,
  type TransferState,
} from '@tidemark/engine'
import { nodePlatform } from '@tidemark/engine/node'
import { ChunksMissingError } from '@tidemark/protocol'
import { fsBlobStore } from '@tidemark/store-fs'
import { webSocketTransport } from '@tidemark/transport-ws'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createHub, type Hub } from '../src/index.js'

const TOKEN = 'secret'
const KIB = 1024
const MIB = 1024 * KIB
let home: string
let hub: Hub
const replicas: Replica[] = []

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'tidemark-transfers-'))
  hub = await createHub({ dataDirectory: join(home, 'hub'), port: 0, token: TOKEN, drainTimeoutMs: 100 })
})
afterEach(async () => {
  for (const replica of replicas.splice(0)) await replica.close()
  await hub.close()
  await rm(home, { recursive: true, force: true })
})

async function device(options: Partial<ReplicaOptions> = {}): Promise<{ replica: Replica; space: Space }> {
  const replica = await openReplica({
    storage: new MemoryKeyValueStore(),
    platform: nodePlatform,
    ...options,
  })
  replicas.push(replica)
  replica.connect(webSocketTransport(hub.url), { token: TOKEN })
  const space = await replica.openSpace('photos')
  await space.settled({ signal: AbortSignal.timeout(10_000) })
  return { replica, space }
}

/** Bytes without a pattern that differ by seed. */
function bytesOf(seed: number, length: number): Buffer {
  const key = createHash('sha256').update(`${seed}`).digest()
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length))
}

/** What ended, in order. */
class Order {
  readonly names: string[] = []

  async of<T>(name: string, work: Promise<T>): Promise<T> {
    const result = await work
    this.names.push(name)
    return result
  }
}

/** How far a large file has come. */
class Progress {
  bytes = 0
  #begin!: () => void
  /** Resolves with its first bytes. */
  readonly begun = new Promise<void>((resolve) => {
    this.#begin = resolve
  })

  readonly onProgress = (bytes: number): void => {
    this.bytes = bytes
    this.#begin()
  }
}

const until = async (holds: () => Promise<boolean>): Promise<void> => {
  const signal = AbortSignal.timeout(20_000)
  while (!(await holds())) {
    signal.throwIfAborted()
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
const has = (space: Space, path: string) => async () => (await space.stat(path)) !== undefined

describe('a small file overtakes a large one that is on its way', () => {
  for (const [what, bytes] of [
    ['1 KiB', KIB],
    ['700 KiB', 700 * KIB],
  ] as const) {
    test(`[TR7] ${what}, written`, { timeout: 60_000 }, async () => {
      const [a, b] = [await device({ limits: { uploadBytesPerSecond: 2 * MIB } }), await device()]
      const order = new Order()
      const progress = new Progress()
      const large = order.of('large', a.space.write('large', bytesOf(1, 30 * MIB), progress))
      await progress.begun
      await order.of('small', a.space.write('small', bytesOf(2, bytes)))
      await until(has(b.space, 'small'))
      expect(Buffer.compare(await b.space.readFile('small'), bytesOf(2, bytes))).toBe(0)
      expect(order.names).toEqual(['small'])
      expect(progress.bytes).toBeLessThan(17 * MIB)
      a.replica.transfers.limit({})
      await large
      expect(order.names).toEqual(['small', 'large'])
    })

    test(`[TR7] ${what}, read`, { timeout: 60_000 }, async () => {
      const a = await device()
      await a.space.write('large', bytesOf(1, 30 * MIB))
      await a.space.write('small', bytesOf(2, bytes))
      const b = await device({ limits: { downloadBytesPerSecond: 2 * MIB } })
      const order = new Order()
      const progress = new Progress()
      const read = async (): Promise<void> => {
        for await (const part of b.space.read('large')) progress.onProgress(progress.bytes + part.length)
      }
      const large = order.of('large', read())
      await progress.begun
      const small = await order.of('small', b.space.readFile('small'))
      expect(Buffer.compare(small, bytesOf(2, bytes))).toBe(0)
      expect(order.names).toEqual(['small'])
      expect(progress.bytes).toBeLessThan(17 * MIB)
      b.replica.transfers.limit({})
      await large
      expect(order.names).toEqual(['small', 'large'])
    })
  }

  test('[TR7] in another space of the replica too', { timeout: 60_000 }, async () => {
    const { replica, space } = await device({ limits: { uploadBytesPerSecond: 2 * MIB } })
    const other = await replica.openSpace('notes')
    await other.settled({ signal: AbortSignal.timeout(10_000) })
    const order = new Order()
    const progress = new Progress()
    const large = order.of('large', space.write('large', bytesOf(1, 30 * MIB), progress))
    await progress.begun
    await order.of('small', other.write('small', bytesOf(2, 100 * KIB)))
    expect(progress.bytes).toBeLessThan(17 * MIB)
    replica.transfers.limit({})
    await large
    expect(order.names).toEqual(['small', 'large'])
  })
})

test('[TR7] during a pause everything waits and nothing fails; after it all goes on', {
  timeout: 60_000,
}, async () => {
  const [a, b] = [await device(), await device()]
  const order = new Order()
  const states: TransferState[] = []
  a.replica.transfers.state$.subscribe((state) => states.push(state))
  a.replica.transfers.pause()
  a.replica.transfers.pause()
  const writes = [
    order.of('large', a.space.write('large', bytesOf(1, 20 * MIB))),
    order.of('small', a.space.write('small', bytesOf(2, KIB))),
  ]
  // Longer than the retry policy would wait before it asked again.
  await a.space.mkdir('metadata')
  await until(has(b.space, 'metadata'))
  await a.space.settled({ signal: AbortSignal.timeout(10_000) })
  expect(order.names).toEqual([])
  await expect(
    a.space.write('given up', bytesOf(3, KIB), { signal: AbortSignal.timeout(50) }),
  ).rejects.toThrow(/timeout/)
  a.replica.transfers.resume()
  a.replica.transfers.resume()
  await Promise.all(writes)
  b.replica.transfers.pause()
  await until(has(b.space, 'large'))
  const read = order.of('read', b.space.readFile('large'))
  await expect(b.space.readFile('large', { signal: AbortSignal.timeout(50) })).rejects.toThrow(/timeout/)
  expect(order.names).not.toContain('read')
  b.replica.transfers.resume()
  expect(Buffer.compare(await read, bytesOf(1, 20 * MIB))).toBe(0)
  expect(states.map(({ paused }) => paused)).toEqual([false, true, false])
})

test('[TR7] of a small file that is written offline only the entry travels during a pause', async () => {
  const blobs = fsBlobStore({ directory: join(home, 'blobs') })
  await blobs.open()
  const [a, b] = [await device({ blobs }), await device()]
  a.replica.transfers.pause()
  await a.space.write('small', 'a few bytes')
  await until(has(b.space, 'small'))
  await expect(b.space.readFile('small')).rejects.toThrow(ChunksMissingError)
  a.replica.transfers.resume()
  await a.space.settled({ signal: AbortSignal.timeout(10_000) })
  expect(Buffer.from(await b.space.readFile('small')).toString()).toBe('a few bytes')
})

test('[TR7] a replica is closed although everything is paused, and whoever waits is told', async () => {
  const blobs = fsBlobStore({ directory: join(home, 'blobs') })
  await blobs.open()
  const [a, b] = [await device(), await device({ blobs, limits: { uploadBytesPerSecond: 1 } })]
  await a.space.write('large', bytesOf(1, 5 * MIB))
  a.replica.transfers.pause()
  b.replica.transfers.pause()
  const waiting = [
    a.space.readFile('large'),
    a.space.write('more', bytesOf(2, 5 * MIB), { signal: new AbortController().signal }),
    b.space.write('another', bytesOf(3, 5 * MIB)),
  ].map((each) => expect(each).rejects.toThrow(/closed/))
  await b.space.write('small', bytesOf(3, KIB))
  await new Promise((resolve) => setTimeout(resolve, 50))
  await a.replica.close()
  await b.replica.close()
  await Promise.all(waiting)
})

test('a limit that is no positive number is refused, and changes nothing', async () => {
  const { replica } = await device({ limits: { uploadBytesPerSecond: 5 } })
  for (const value of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => replica.transfers.limit({ downloadBytesPerSecond: value })).toThrow(RangeError)
    const opening = openReplica({
      storage: new MemoryKeyValueStore(),
      platform: nodePlatform,
      limits: { uploadBytesPerSecond: value },
    })
    await expect(opening).rejects.toThrow(RangeError)
  }
  const states: TransferState[] = []
  replica.transfers.state$.subscribe((state) => states.push(state))
  replica.transfers.limit({ downloadBytesPerSecond: 7 })
  expect(states).toEqual([
    { paused: false, uploadBytesPerSecond: 5, downloadBytesPerSecond: undefined },
    { paused: false, uploadBytesPerSecond: undefined, downloadBytesPerSecond: 7 },
  ])
})
