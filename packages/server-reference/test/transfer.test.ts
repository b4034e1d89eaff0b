import { createCipheriv, createHash } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type ByteSink, type ByteSource, PackFormat, type Upload } from '@tidemark/engine'
import {
  nodeCompressor,
  nodeHasher,
  pathByteSource,
  systemTimers,
  type UndiciBlobClient,
  undiciBlobClient,
} from '@tidemark/engine/node'
import { type ChunkId, GRANT_TTL_MS, StoreError, TransportError } from '@tidemark/protocol'
import { runBlobStoreConformance } from '@tidemark/protocol/conformance'
import { type FsBlobStore, fsBlobStore } from '@tidemark/store-fs'
import { afterEach, describe, expect, test } from 'vitest'
import { MemoryKeyValueStore } from '../../engine/src/adapters/memory-store.js'
import { chunkSource } from '../../engine/src/chunking/chunk-source.js'
import { BodyCompressor } from '../../engine/src/transfer/body-compressor.js'
import { Downloader } from '../../engine/src/transfer/downloader.js'
import { LargeBodies } from '../../engine/src/transfer/large-bodies.js'
import { Pace } from '../../engine/src/transfer/pace.js'
import { RetryPolicy } from '../../engine/src/transfer/retry.js'
import type { TransferParts } from '../../engine/src/transfer/transfer-parts.js'
import { Uploader } from '../../engine/src/transfer/uploader.js'
import { BlobIndex, HubBlobAuthority, silentLogger } from '../src/index.js'
import { SPACE, temporaryDirectory, uptime } from './fixture.js'

const MIB = 2 ** 20
const packs = new PackFormat(nodeHasher, nodeCompressor)

interface World extends TransferParts {
  readonly compression: BodyCompressor
  readonly largeBodies: LargeBodies
  readonly hub: HubBlobAuthority
  readonly store: FsBlobStore
  readonly directory: string
  /** Requests that reached the server, by method. */
  readonly requests: string[]
  /** Is given each request first; true: it has answered. */
  refuse: (url: string, answer: (status: number, code: string) => void) => boolean
  nowMs: number
}

const open: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}

/** A hub's byte side: blobs on disk behind a real HTTP server, indexed as they come. */
async function world(): Promise<World> {
  const directory = await temporaryDirectory()
  const store = fsBlobStore({
    directory: join(directory, 'store'),
    clock: { nowMs: () => it.nowMs },
    onStored: async (_, id, bytes) => void (await hub.indexBlob(id, bytes)),
  })
  const index = new BlobIndex(new MemoryKeyValueStore(), uptime)
  const hub = new HubBlobAuthority({
    space: SPACE,
    blobs: store,
    index,
    packs,
    hasher: nodeHasher,
    logger: silentLogger,
  })
  const server = createServer((request, response) => {
    it.requests.push(request.method!)
    const answer = (status: number, code: string) => {
      response.writeHead(status, { connection: 'close' }).end(JSON.stringify({ code }))
    }
    if (!it.refuse(request.url!, answer)) void store.handleBlobRequest(request, response)
  })
  const client = undiciBlobClient({ baseUrl: await listening(server) })
  open.push(async () => {
    await client.close()
    await closeServer(server)
  })
  const random = { bytes: (length: number) => new Uint8Array(length) }
  const pace = new Pace(systemTimers)
  const it: World = {
    hub,
    store,
    directory,
    requests: [],
    refuse: () => false,
    nowMs: 1_800_000_000_000,
    hasher: nodeHasher,
    compressor: nodeCompressor,
    compression: new BodyCompressor({ compressor: nodeCompressor, pace }),
    largeBodies: new LargeBodies(systemTimers),
    authority: () => hub,
    client: () => client,
    retry: new RetryPolicy({ timers: systemTimers, random }),
    pace,
  }
  return it
}

/** Bytes without a pattern that differ by seed: the key stream of AES in counter mode. */
function bytesOf(seed: number, length: number): Buffer {
  const key = createHash('sha256').update(`${seed}`).digest()
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length))
}

async function uploadOf({ directory }: World, name: string, bytes: Uint8Array): Promise<Upload> {
  const path = join(directory, name)
  await writeFile(path, bytes)
  const source = await pathByteSource(path)
  const file = await chunkSource(source, { hasher: nodeHasher })
  await source.close()
  return { file, open: (): Promise<ByteSource> => pathByteSource(path) }
}

function sinkOf(size: number): ByteSink & { readonly bytes: Buffer } {
  const bytes = Buffer.alloc(size)
  return {
    bytes,
    write: async (offset, part) => void bytes.set(part, offset),
    read: async (offset, length) => Buffer.from(bytes.subarray(offset, offset + length)),
  }
}

runBlobStoreConformance('fs, by the engine over HTTP', async () => {
  let nowMs = 1_800_000_000_000
  const directory = await temporaryDirectory()
  const store = fsBlobStore({ directory, clock: { nowMs: () => nowMs } })
  const server = createServer((request, response) => void store.handleBlobRequest(request, response))
  const client: UndiciBlobClient = undiciBlobClient({ baseUrl: await listening(server) })
  return {
    store,
    client,
    expireGrants: () => {
      nowMs += GRANT_TTL_MS
    },
    close: async () => {
      await client.close()
      await closeServer(server)
      await rm(directory, { recursive: true, force: true })
    },
  }
})

describe('files through a hub', () => {
  test('large and small ones arrive as they were', async () => {
    const it = await world()
    const contents = [
      bytesOf(1, 20 * MIB),
      bytesOf(2, 300_000),
      bytesOf(3, 5_000),
      Buffer.alloc(0),
      Buffer.alloc(3 * MIB),
    ]
    const uploads = await Promise.all(contents.map((bytes, i) => uploadOf(it, `file-${i}`, bytes)))
    const durable: number[] = []
    await new Uploader(it).ensureStored(uploads, { onProgress: (bytes) => durable.push(bytes) })
    expect(durable.at(-1)).toBe(contents.reduce((sum, { length }) => sum + length, 0))
    for (const [i, { file }] of uploads.entries()) {
      const sink = sinkOf(file.size)
      await new Downloader(it).fetch(file, sink)
      expect(sink.bytes.equals(contents[i]!)).toBe(true)
    }
    expect(it.requests.filter((method) => method === 'PUT').length).toBeLessThanOrEqual(4)
  })

  test('2,000 small files are a few requests each way', async () => {
    const it = await world()
    const contents = Array.from({ length: 2_000 }, (_, i) => bytesOf(i, 1_000 + i))
    const uploads: Upload[] = []
    for (const [i, bytes] of contents.entries()) uploads.push(await uploadOf(it, `small-${i}`, bytes))
    await new Uploader(it).ensureStored(uploads)
    const found = await new Downloader(it).fetchSmall(uploads.map(({ file }) => file.root as ChunkId))
    for (const [i, { file }] of uploads.entries())
      expect(contents[i]!.equals(found.get(file.root)!)).toBe(true)
    expect(it.requests.length).toBeLessThanOrEqual(6)
  })

  test('text is compressed on its way up, stays so in the store, and comes as it was, beside what does not get smaller', async () => {
    const it = await world()
    const text = Buffer.from(Array.from({ length: 300_000 }, (_, i) => `line ${i} of a file\n`).join(''))
    const contents = [
      text,
      bytesOf(7, 2 * MIB),
      Buffer.concat([text.subarray(0, 100_000), bytesOf(8, 200_000)]),
    ]
    const uploads: Upload[] = []
    for (const [i, bytes] of contents.entries()) uploads.push(await uploadOf(it, `file-${i}`, bytes))
    await new Uploader(it).ensureStored(uploads)
    let stored = 0
    for await (const blob of it.store.list(SPACE)) stored += (await it.store.stat(SPACE, blob))!
    expect(stored).toBeLessThan(text.length / 3 + 2.4 * MIB)
    const located = await it.hub.locate(uploads.map(({ file }) => file.root))
    expect(located.chunks).toHaveLength(3)
    for (const [i, { file }] of uploads.entries()) {
      const sink = sinkOf(file.size)
      await new Downloader(it).fetch(file, sink)
      expect(sink.bytes.equals(contents[i]!)).toBe(true)
    }
    await it.hub.rebuildIndex()
    expect(await it.hub.lacking(uploads.map(({ file }) => file))).toEqual([])
  })

  test('a server that fails now and then, and grants that end, only cost time', async () => {
    const it = await world()
    let requests = 0
    it.refuse = (_, answer) => {
      requests++
      if (requests === 2) it.nowMs += GRANT_TTL_MS
      if (requests === 3) answer(503, 'BUSY')
      return requests === 3
    }
    const bytes = bytesOf(4, 30 * MIB)
    const upload = await uploadOf(it, 'file', bytes)
    await new Uploader(it).ensureStored([upload])
    requests = 0
    const sink = sinkOf(bytes.length)
    await new Downloader(it).fetch(upload.file, sink)
    expect(sink.bytes.equals(bytes)).toBe(true)
  })

  test('an upload that is cut goes on where the hub stands, a download where the sink does', async () => {
    const it = await world()
    const bytes = bytesOf(5, 60 * MIB)
    const upload = await uploadOf(it, 'file', bytes)
    const cut = new AbortController()
    const options = {
      signal: cut.signal,
      onProgress: (durable: number) => durable > 10 * MIB && cut.abort(new Error('cut')),
    }
    await expect(new Uploader(it).ensureStored([upload], options)).rejects.toThrow('cut')
    const durable: number[] = []
    await new Uploader(it).ensureStored([upload], {
      onProgress: (bytes) => durable.push(bytes),
    })
    expect(durable[0]).toBeGreaterThan(7 * MIB)

    const sink = sinkOf(bytes.length)
    const again = new AbortController()
    const downloading = new Downloader(it).fetch(upload.file, sink, {
      signal: again.signal,
      onProgress: (durable) => durable > 20 * MIB && again.abort(new Error('cut')),
    })
    await expect(downloading).rejects.toThrow('cut')
    let ranges = 0
    it.refuse = () => {
      ranges++
      return false
    }
    await new Downloader(it).fetch(upload.file, sink)
    expect(sink.bytes.equals(bytes)).toBe(true)
    expect(ranges).toBeLessThan(32)
  })

  test('a session that ends midway is replaced, and nothing is lost', async () => {
    const it = await world()
    const bytes = bytesOf(6, 20 * MIB)
    const upload = await uploadOf(it, 'file', bytes)
    let calls = 0
    const flaky = new Proxy(it.hub, {
      get: (hub, name: keyof HubBlobAuthority) => {
        const method = hub[name] as (...args: unknown[]) => unknown
        return (...args: unknown[]) => {
          if (++calls % 3 === 0) return Promise.reject(new TransportError('the session ended'))
          return method.apply(hub, args)
        }
      },
    })
    const parts = { ...it, authority: () => (calls % 7 === 6 && calls++ ? undefined : flaky) }
    await new Uploader(parts).ensureStored([upload])
    const sink = sinkOf(bytes.length)
    await new Downloader(parts).fetch(upload.file, sink)
    expect(sink.bytes.equals(bytes)).toBe(true)
    expect(calls).toBeGreaterThan(8)
  })

  test('a store that never answers rightly is reported as it is', async () => {
    const it = await world()
    const retry = new RetryPolicy({
      timers: { monotonicMs: () => 0, after: (_, fn) => systemTimers.after(0, fn) },
      random: { bytes: (length) => new Uint8Array(length) },
    })
    it.refuse = (_, answer) => {
      answer(500, 'INTERNAL')
      return true
    }
    const upload = await uploadOf(it, 'file', bytesOf(7, 2 * MIB))
    await expect(new Uploader({ ...it, retry }).ensureStored([upload])).rejects.toBeInstanceOf(StoreError)
    expect(it.requests.length).toBe(8)
  })
})
