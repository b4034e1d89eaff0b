import type { KeyValueOp, KeyValueReader, KeyValueStore } from '@tidemark/engine'
import type { BlobId, ChunkId, SpaceName } from '@tidemark/protocol'
import {
  type BlobRow,
  type Content,
  decodeBlobRow,
  decodeContents,
  encodeBlobRow,
  encodeContents,
} from './blob-row.js'
import { type ChunkRow, decodeChunkRow, encodeChunkRow } from './chunk-row.js'

/** Changes merged into one batch. */
const CHANGES_PER_BATCH_MAX = 64

const PREFIX = 'blob-index/'
/** The value of a row that only says that it is there. */
const SET = Uint8Array.of(1)

export const chunkKey = (space: SpaceName, chunk: ChunkId): string => `${PREFIX}c/${space}/${chunk}`
export const blobKey = (space: SpaceName, blob: BlobId | ''): string => `${PREFIX}b/${space}/${blob}`
export const damagedKey = (space: SpaceName, blob: BlobId | ''): string => `${PREFIX}d/${space}/${blob}`
const auditKey = (space: SpaceName): string => `${PREFIX}a/${space}`
const contentsKey = (space: SpaceName, blob: BlobId): string => `${PREFIX}p/${space}/${blob}`

/** Rows of the index as they are, with the changes of one batch on top. */
export class IndexTransaction {
  /** The batch has to be durable before anybody hears of it. */
  isSync = false
  readonly #changed = new Map<string, Uint8Array | undefined>()

  constructor(private readonly store: KeyValueReader) {}

  async chunks(space: SpaceName, chunks: readonly ChunkId[]): Promise<Map<ChunkId, ChunkRow>> {
    const distinct = [...new Set(chunks)]
    const values = await this.#getMany(distinct.map((chunk) => chunkKey(space, chunk)))
    const rows = new Map<ChunkId, ChunkRow>()
    for (const [i, value] of values.entries()) if (value) rows.set(distinct[i]!, decodeChunkRow(value))
    return rows
  }

  /** A chunk without a place has no row. */
  setChunk(space: SpaceName, chunk: ChunkId, row: ChunkRow): void {
    this.#changed.set(chunkKey(space, chunk), row.places.length > 0 ? encodeChunkRow(row) : undefined)
  }

  async blob(space: SpaceName, blob: BlobId): Promise<BlobRow | undefined> {
    const [value] = await this.#getMany([blobKey(space, blob)])
    return value && decodeBlobRow(value)
  }

  setBlob(space: SpaceName, blob: BlobId, row: BlobRow): void {
    this.#changed.set(blobKey(space, blob), encodeBlobRow(row))
  }

  /** What is in a blob; `undefined`: the index does not say. */
  async contents(space: SpaceName, blob: BlobId): Promise<readonly Content[] | undefined> {
    const [value] = await this.#getMany([contentsKey(space, blob)])
    return value && decodeContents(value)
  }

  setContents(space: SpaceName, blob: BlobId, contents: readonly Content[]): void {
    this.#changed.set(contentsKey(space, blob), encodeContents(contents))
  }

  forgetBlob(space: SpaceName, blob: BlobId): void {
    this.#changed.set(blobKey(space, blob), undefined)
    this.#changed.set(contentsKey(space, blob), undefined)
    this.setUndamaged(space, blob)
  }

  setDamaged(space: SpaceName, blob: BlobId): void {
    this.#changed.set(damagedKey(space, blob), SET)
  }

  setUndamaged(space: SpaceName, blob: BlobId): void {
    this.#changed.set(damagedKey(space, blob), undefined)
  }

  async isAuditDue(space: SpaceName): Promise<boolean> {
    const [value] = await this.#getMany([auditKey(space)])
    return value !== undefined
  }

  /** What needs the chunks of a blob is not known yet. */
  setAuditDue(space: SpaceName): void {
    this.#changed.set(auditKey(space), SET)
  }

  setAuditDone(space: SpaceName): void {
    this.#changed.set(auditKey(space), undefined)
  }

  get ops(): readonly KeyValueOp[] {
    return [...this.#changed].map(([key, value]) =>
      value ? { type: 'put', key, value } : { type: 'del', key },
    )
  }

  async #getMany(keys: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    const asked = keys.filter((key) => !this.#changed.has(key))
    const values = asked.length > 0 ? await this.store.getMany(asked) : []
    let next = 0
    return keys.map((key) => (this.#changed.has(key) ? this.#changed.get(key) : values[next++]))
  }
}

interface Queued {
  /** Changes nothing if it throws. */
  readonly work: (txn: IndexTransaction) => Promise<unknown>
  resolve(value: unknown): void
  reject(error: unknown): void
}

/**
 * Changes of the index run one after the other, each on what those before it left; those that wait are merged
 * into one batch.
 */
export class IndexQueue {
  readonly #queue: Queued[] = []
  #running = false

  constructor(private readonly store: KeyValueStore) {}

  /** @param work Must throw before its first change, if it does. @returns what it returned, once the batch is written. */
  run<T>(work: (txn: IndexTransaction) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ work, resolve: (value) => resolve(value as T), reject })
      if (!this.#running) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#running = true
    while (this.#queue.length > 0) {
      const txn = new IndexTransaction(this.store)
      const done: { readonly queued: Queued; readonly value: unknown }[] = []
      for (const queued of this.#queue.splice(0, CHANGES_PER_BATCH_MAX)) {
        try {
          done.push({ queued, value: await queued.work(txn) })
        } catch (error) {
          queued.reject(error)
        }
      }
      try {
        const { ops, isSync } = txn
        if (ops.length > 0) await this.store.batch(ops, { sync: isSync })
        for (const { queued, value } of done) queued.resolve(value)
      } catch (error) {
        for (const { queued } of done) queued.reject(error)
      }
    }
    this.#running = false
  }
}
