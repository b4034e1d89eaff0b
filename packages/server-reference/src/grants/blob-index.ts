import type { KeyValueOp, KeyValueStore, PackedChunk } from '@tidemark/engine'
import type { BlobId, ChunkId, SpaceName } from '@tidemark/protocol'
import { decodeLocators, encodeLocators, type Locator } from './locator.js'

/** Places kept of one chunk: enough to outlive a lost blob, few enough to bound a row. */
const LOCATORS_PER_CHUNK_MAX = 8
/** Changes merged into one batch. */
const CHANGES_PER_BATCH_MAX = 64

/** The value of a row that only says that it is there. */
const SET = Uint8Array.of(1)

type Change =
  | {
      readonly type: 'add'
      readonly space: SpaceName
      readonly blob: BlobId
      readonly chunks: readonly PackedChunk[]
    }
  | {
      readonly type: 'drop'
      readonly space: SpaceName
      readonly blob: BlobId
      readonly chunks: readonly ChunkId[]
      /** Asked again when it is this change's turn: an upload may have come in between. */
      readonly isGone: () => Promise<boolean>
    }

interface Queued {
  readonly change: Change
  resolve(): void
  reject(error: unknown): void
}

/**
 * Where the chunks of each space are: chunk → places in blobs. Rows, below `prefix`:
 *
 *     c/<space>/<chunk>   locators, 45 bytes each, at most 8
 *     b/<space>/<blob>    one byte, 1: everything in this blob is indexed
 *     a/<space>           one byte, 1: a blob was lost, and what needed it is not known yet
 *
 * Changes run one after the other; those that wait are merged into one durable batch.
 */
export class BlobIndex {
  readonly #queue: Queued[] = []
  #running = false

  constructor(
    private readonly store: KeyValueStore,
    private readonly prefix = 'blob-index/',
  ) {}

  /** The places of each chunk, in the order asked; `[]` for an unknown one. */
  async locators(space: SpaceName, chunks: readonly ChunkId[]): Promise<Locator[][]> {
    const values = await this.store.getMany(chunks.map((chunk) => this.#chunkKey(space, chunk)))
    return values.map((value) => (value ? decodeLocators(value) : []))
  }

  /** For each blob whether everything in it is indexed. */
  async hasBlobs(space: SpaceName, blobs: readonly BlobId[]): Promise<boolean[]> {
    const values = await this.store.getMany(blobs.map((blob) => this.#blobKey(space, blob)))
    return values.map((value) => value !== undefined)
  }

  async isEmpty(space: SpaceName): Promise<boolean> {
    for await (const page of this.blobs(space)) if (page.length > 0) return false
    return true
  }

  /** Blobs whose content is indexed, ascending, in pages. */
  async *blobs(space: SpaceName): AsyncIterable<readonly BlobId[]> {
    const from = this.#blobKey(space, '')
    for await (const page of this.store.range({ gte: from, lt: `${from}~` })) {
      yield page.map(([key]) => key.slice(from.length) as BlobId)
    }
  }

  /** Whether a blob was dropped since the last `auditDone`. */
  async isAuditDue(space: SpaceName): Promise<boolean> {
    return (await this.store.get(this.#auditKey(space))) !== undefined
  }

  /** What lost blobs were needed for is known. */
  async auditDone(space: SpaceName): Promise<void> {
    await this.store.batch([{ type: 'del', key: this.#auditKey(space) }], { sync: false })
  }

  /** Durable when it resolves. Precondition: the blob is durable and its chunks were verified. */
  add(space: SpaceName, blob: BlobId, chunks: readonly PackedChunk[]): Promise<void> {
    return this.#enqueue({ type: 'add', space, blob, chunks })
  }

  /** Forgets a blob that is gone, and that these chunks are in it, unless `isGone` denies it at that time. */
  drop(
    space: SpaceName,
    blob: BlobId,
    chunks: readonly ChunkId[],
    isGone: () => Promise<boolean>,
  ): Promise<void> {
    return this.#enqueue({ type: 'drop', space, blob, chunks, isGone })
  }

  #enqueue(change: Change): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ change, resolve, reject })
      if (!this.#running) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#running = true
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, CHANGES_PER_BATCH_MAX)
      try {
        await this.#apply(batch.map(({ change }) => change))
        for (const queued of batch) queued.resolve()
      } catch (error) {
        for (const queued of batch) queued.reject(error)
      }
    }
    this.#running = false
  }

  async #apply(changes: readonly Change[]): Promise<void> {
    const keys = new Set<string>()
    for (const change of changes) {
      for (const chunk of change.chunks) {
        keys.add(this.#chunkKey(change.space, typeof chunk === 'string' ? chunk : chunk.id))
      }
    }
    const ordered = [...keys]
    const values = await this.store.getMany(ordered)
    const rows = new Map(ordered.map((key, i) => [key, values[i] ? decodeLocators(values[i]) : []]))
    const changed = new Set<string>()
    const ops = new Map<string, KeyValueOp>()
    for (const change of changes) {
      const { space, blob } = change
      const blobKey = this.#blobKey(space, blob)
      if (change.type === 'add') {
        ops.set(blobKey, { type: 'put', key: blobKey, value: SET })
        for (const chunk of change.chunks) {
          const key = this.#chunkKey(space, chunk.id)
          const { offset, storedLength, codec, length } = chunk
          // A blob may hold a chunk twice, or be indexed twice: one place in it is enough.
          const others = rows.get(key)!.filter((locator) => locator.blob !== blob)
          const locators = [{ blob, offset, storedLength, codec, length }, ...others]
          rows.set(key, locators.slice(0, LOCATORS_PER_CHUNK_MAX))
          changed.add(key)
        }
      } else if (await change.isGone()) {
        ops.set(blobKey, { type: 'del', key: blobKey })
        const auditKey = this.#auditKey(space)
        ops.set(auditKey, { type: 'put', key: auditKey, value: SET })
        for (const chunk of change.chunks) {
          const key = this.#chunkKey(space, chunk)
          rows.set(
            key,
            rows.get(key)!.filter((locator) => locator.blob !== blob),
          )
          changed.add(key)
        }
      }
    }
    for (const key of changed) {
      const locators = rows.get(key)!
      ops.set(
        key,
        locators.length > 0 ? { type: 'put', key, value: encodeLocators(locators) } : { type: 'del', key },
      )
    }
    if (ops.size > 0) await this.store.batch([...ops.values()], { sync: true })
  }

  #chunkKey(space: SpaceName, chunk: ChunkId): string {
    return `${this.prefix}c/${space}/${chunk}`
  }

  #auditKey(space: SpaceName): string {
    return `${this.prefix}a/${space}`
  }

  #blobKey(space: SpaceName, blob: BlobId | ''): string {
    return `${this.prefix}b/${space}/${blob}`
  }
}
