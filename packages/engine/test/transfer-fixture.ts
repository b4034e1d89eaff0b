import {
  type BlobClient,
  type BlobId,
  bytesToHex,
  type ChunkId,
  type Grant,
  type Located,
  parseSpaceName,
} from '@tidemark/protocol'
import { MemoryBlobStore } from '@tidemark/protocol/memory'
import { chunkSource } from '../src/chunking/chunk-source.js'
import { type ChunkToPack, type PackedChunk, PackFormat } from '../src/chunking/pack-format.js'
import type { BlobAuthority, ByteSink, Timers, Upload } from '../src/index.js'
import { nodeCompressor } from '../src/node/node-compressor.js'
import { nodeHasher } from '../src/node/node-hasher.js'
import { BodyCompressor } from '../src/transfer/body-compressor.js'
import { LargeBodies } from '../src/transfer/large-bodies.js'
import { Pace } from '../src/transfer/pace.js'
import { RetryPolicy } from '../src/transfer/retry.js'
import type { TransferParts } from '../src/transfer/transfer-parts.js'
import { MemorySource } from './bytes.js'

export const SPACE = parseSpaceName('space')
const packs = new PackFormat(nodeHasher, nodeCompressor)

interface Place extends Omit<PackedChunk, 'id'> {
  readonly blob: BlobId
}

type Call = 'need' | 'grantPuts' | 'stored' | 'putInline' | 'locate' | 'put' | 'get'

/** A hub over a store in memory, whose answers a test may replace. It counts what it is asked. */
export class TestHub implements BlobAuthority {
  nowMs = 1_000_000
  readonly store = new MemoryBlobStore({ sha256: (bytes) => nodeHasher.sha256(bytes), now: () => this.nowMs })
  /** Places of each chunk; the first is told. */
  readonly places = new Map<ChunkId, Place[]>()
  readonly calls: Call[] = []
  /** Blobs that it was told to look at. */
  readonly distrusted: BlobId[] = []
  /** Bytes that left the store. */
  bytesRead = 0
  bodiesMost = 0
  #bodies = 0
  /** Called before each call is carried out: it may throw or wait. */
  before: (call: Call) => void | Promise<void> = () => undefined
  /** What a read returns instead. */
  damage: (bytes: Uint8Array, grant: Grant) => Uint8Array = (bytes) => bytes

  readonly client: BlobClient = {
    put: async (grant, body, options) => {
      this.#bodies += body.length
      this.bodiesMost = Math.max(this.bodiesMost, this.#bodies)
      try {
        await this.#begin('put')
        await this.store.client.put(grant, body, options)
      } finally {
        this.#bodies -= body.length
      }
    },
    get: async (grant, range, options) => {
      await this.#begin('get')
      this.bytesRead += range.length
      return this.damage(await this.store.client.get(grant, range, options), grant)
    },
  }

  count(call: Call): number {
    return this.calls.filter((name) => name === call).length
  }

  async need(chunks: readonly ChunkId[]): Promise<readonly ChunkId[]> {
    await this.#begin('need')
    return chunks.filter((id) => !this.places.get(id)?.length)
  }

  async grantPuts(blobs: readonly { id: BlobId; length: number }[]): Promise<readonly (Grant | null)[]> {
    await this.#begin('grantPuts')
    return Promise.all(blobs.map((blob) => this.store.grantPut(SPACE, blob)))
  }

  async stored(blobs: readonly BlobId[]): Promise<readonly BlobId[]> {
    await this.#begin('stored')
    for (const blob of blobs) {
      const length = await this.store.stat(SPACE, blob)
      if (length === undefined) return []
      await this.#index(blob, await this.store.read(SPACE, blob, { offset: 0, length }))
    }
    return blobs
  }

  async putInline(chunks: readonly { id: ChunkId; bytes: Uint8Array }[]): Promise<void> {
    await this.#begin('putInline')
    await this.addPack(chunks)
  }

  async locate(
    chunks: readonly ChunkId[],
    { distrusted = [] }: { readonly distrusted?: readonly BlobId[] } = {},
  ): Promise<Pick<Located, 'blobs' | 'chunks'>> {
    await this.#begin('locate')
    this.distrusted.push(...distrusted)
    const blobs: BlobId[] = []
    const located = []
    for (const id of chunks) {
      const place = this.places.get(id)?.[0]
      if (!place) continue
      if (!blobs.includes(place.blob)) blobs.push(place.blob)
      located.push({ id, ...place, blob: blobs.indexOf(place.blob) })
    }
    const granted = blobs.map(async (id) => ({ id, grant: await this.store.grantGet(SPACE, id) }))
    return { blobs: await Promise.all(granted), chunks: located }
  }

  /** Stores a pack as if somebody had uploaded it. */
  async addPack(chunks: readonly ChunkToPack[]): Promise<BlobId> {
    const pack = await packs.build(chunks)
    await this.store.put(SPACE, pack.id, pack.bytes)
    await this.#index(pack.id, pack.bytes)
    return pack.id
  }

  async #index(blob: BlobId, bytes: Uint8Array): Promise<void> {
    for (const { id, ...place } of await packs.verify(bytes)) {
      this.places.set(id, [...(this.places.get(id) ?? []), { blob, ...place }])
    }
  }

  async #begin(call: Call): Promise<void> {
    this.calls.push(call)
    await this.before(call)
  }
}

/** Timers that fire at once, and remember what was asked of them. */
export class InstantTimers implements Timers {
  readonly delaysMs: number[] = []

  monotonicMs(): number {
    return 0
  }

  after(delayMs: number, fn: () => void): () => void {
    this.delaysMs.push(delayMs)
    const timer = setImmediate(fn)
    return () => clearImmediate(timer)
  }
}

export interface World extends TransferParts {
  readonly compression: BodyCompressor
  readonly largeBodies: LargeBodies
  readonly hub: TestHub
  readonly timers: InstantTimers
}

export function world(): World {
  const hub = new TestHub()
  const timers = new InstantTimers()
  const random = { bytes: (length: number) => new Uint8Array(length).fill(128) }
  const retry = new RetryPolicy({ timers, random })
  const pace = new Pace(timers)
  return {
    hub,
    timers,
    hasher: nodeHasher,
    compressor: nodeCompressor,
    compression: new BodyCompressor({ compressor: nodeCompressor, pace }),
    largeBodies: new LargeBodies(timers),
    retry,
    pace,
    authority: () => hub,
    client: () => hub.client,
  }
}

export async function uploadOf(
  bytes: Uint8Array,
): Promise<Upload & { readonly source: MemorySource; readonly bytes: Uint8Array }> {
  const source = new MemorySource(bytes)
  const file = await chunkSource(source, { hasher: nodeHasher })
  return { file, source, bytes, open: async () => source }
}

/** A file in memory, as a download writes it. */
export class MemorySink implements ByteSink {
  readonly bytes: Uint8Array
  readonly written: Uint8Array
  writes = 0

  constructor(size: number) {
    this.bytes = new Uint8Array(size)
    this.written = new Uint8Array(size)
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    this.writes++
    this.bytes.set(bytes, offset)
    this.written.fill(1, offset, offset + bytes.length)
  }

  async read(offset: number, length: number): Promise<Uint8Array | undefined> {
    const isWritten = this.written.subarray(offset, offset + length).every((flag) => flag === 1)
    return isWritten ? this.bytes.slice(offset, offset + length) : undefined
  }
}

export const hex = bytesToHex
