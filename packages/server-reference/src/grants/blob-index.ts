import type { KeyValueStore, PackedChunk } from '@tidemark/engine'
import { type BlobId, type ChunkId, LEASE_MS, type SpaceName } from '@tidemark/protocol'
import type { Counted } from '../uptime.js'
import {
  type ChunkRow,
  decodeChunkRow,
  isIn,
  newRow,
  placesOf,
  withoutPlace,
  withPlace,
} from './chunk-row.js'
import { blobKey, chunkKey, damagedKey, IndexQueue, type IndexTransaction } from './index-transaction.js'
import type { Locator } from './locator.js'
import { SweepIndex } from './sweep-index.js'

/**
 * Why chunks are looked up, and with that what becomes of one that is condemned: somebody who has its bytes asks
 * whether to send them (it stays condemned, and they are wanted); somebody reads it (it stays condemned, and is kept
 * for another lease); a register names it (it is not condemned any more).
 */
export type Use = 'need' | 'read' | 'name'

/**
 * Where the chunks of each space are: chunk → places in blobs, and since when nobody needs it. Rows, below
 * `blob-index/`:
 *
 *     c/<space>/<chunk>   times and locators, see `ChunkRow`; at most 8 locators of 45 bytes
 *     b/<space>/<blob>    times, see `BlobRow`: everything in this blob is indexed
 *     p/<space>/<blob>    what is in it, 36 bytes a chunk
 *     d/<space>/<blob>    one byte, 1: it is in the store and is not what its id says
 *     a/<space>           one byte, 1: a blob was lost or damaged, and what needed it is not known yet
 *
 * Changes run one after the other; those that wait are merged into one batch.
 */
export class BlobIndex {
  /** The part of it that finds and removes what nobody needs. */
  readonly sweeping: SweepIndex
  readonly #queue: IndexQueue
  /** Counted when it is their turn to be written: an audit that began before one of them does not end it. */
  readonly #losses = new Map<SpaceName, number>()

  constructor(
    private readonly store: KeyValueStore,
    private readonly uptime: Counted,
  ) {
    this.#queue = new IndexQueue(store)
    this.sweeping = new SweepIndex(this.#queue, uptime)
  }

  get nowMs(): number {
    return this.uptime.nowMs()
  }

  /** In the order asked; `undefined` for an unknown one. */
  async rows(space: SpaceName, chunks: readonly ChunkId[]): Promise<(ChunkRow | undefined)[]> {
    const values = await this.store.getMany(chunks.map((chunk) => chunkKey(space, chunk)))
    return values.map((value) => value && decodeChunkRow(value))
  }

  /** The places of each chunk, in the order asked; `[]` for an unknown one. */
  async locators(space: SpaceName, chunks: readonly ChunkId[]): Promise<Locator[][]> {
    return (await this.rows(space, chunks)).map((row) => (row ? placesOf(row) : []))
  }

  /** Whether it was used so lately that nothing can have become of it, nor of what came with it. */
  isFresh(row: ChunkRow | undefined): boolean {
    return row !== undefined && row.condemnedMs === 0 && row.usedMs + LEASE_MS / 2 > this.uptime.nowMs()
  }

  /** For each blob whether everything in it is indexed. */
  async hasBlobs(space: SpaceName, blobs: readonly BlobId[]): Promise<boolean[]> {
    const values = await this.store.getMany(blobs.map((blob) => blobKey(space, blob)))
    return values.map((value) => value !== undefined)
  }

  async isEmpty(space: SpaceName): Promise<boolean> {
    for await (const page of this.blobs(space)) if (page.length > 0) return false
    return true
  }

  /** Blobs whose content is indexed, ascending, in pages. */
  async *blobs(space: SpaceName): AsyncIterable<readonly BlobId[]> {
    const from = blobKey(space, '')
    for await (const page of this.store.range({ gte: from, lt: `${from}~` })) {
      yield page.map(([key]) => key.slice(from.length) as BlobId)
    }
  }

  /** Blobs that are in the store and are not what their ids say. */
  async damaged(space: SpaceName): Promise<BlobId[]> {
    const from = damagedKey(space, '')
    const ids: BlobId[] = []
    for await (const page of this.store.range({ gte: from, lt: `${from}~` })) {
      ids.push(...page.map(([key]) => key.slice(from.length) as BlobId))
    }
    return ids
  }

  setDamaged(space: SpaceName, blob: BlobId): Promise<void> {
    return this.#queue.run(async (txn) => {
      txn.setDamaged(space, blob)
      this.#noteLoss(txn, space)
      txn.isSync = true
    })
  }

  setUndamaged(space: SpaceName, blob: BlobId): Promise<void> {
    return this.#queue.run(async (txn) => txn.setUndamaged(space, blob))
  }

  /** How many losses this process has seen, where there was one since the last `auditDone`. */
  auditDue(space: SpaceName): Promise<number | undefined> {
    return this.#queue.run(async (txn) =>
      (await txn.isAuditDue(space)) ? (this.#losses.get(space) ?? 0) : undefined,
    )
  }

  /** What lost blobs were needed for is known, if there were no more than these. */
  auditDone(space: SpaceName, losses: number): Promise<void> {
    return this.#queue.run(async (txn) => {
      if ((this.#losses.get(space) ?? 0) === losses) txn.setAuditDone(space)
    })
  }

  /**
   * Durable when it resolves; none of the chunks is condemned any more.
   * Precondition: the blob is durable and its chunks were verified.
   */
  add(space: SpaceName, blob: BlobId, chunks: readonly PackedChunk[]): Promise<void> {
    return this.#queue.run(async (txn) => {
      const nowMs = this.uptime.nowMs()
      const ids = chunks.map(({ id }) => id)
      const rows = await txn.chunks(space, ids)
      for (const { id, ...place } of chunks) {
        const row = rows.get(id) ?? newRow(nowMs)
        // A blob may hold a chunk twice, or be indexed twice: one place in it is enough.
        rows.set(id, { ...withPlace(row, { ...place, blob }), usedMs: nowMs, condemnedMs: 0 })
      }
      for (const [id, row] of rows) txn.setChunk(space, id, row)
      txn.setBlob(space, blob, { freshMs: nowMs, emptiedMs: 0 })
      txn.setContents(space, blob, chunks)
      txn.isSync = true
    })
  }

  /**
   * Somebody was told of these chunks: nothing becomes of them for `LEASE_MS`.
   * @returns those that are there to be told of.
   */
  renew(space: SpaceName, chunks: readonly ChunkId[], use: Use): Promise<ReadonlySet<ChunkId>> {
    return this.#queue.run(async (txn) => {
      const usedMs = this.uptime.nowMs()
      const kept = new Set<ChunkId>()
      for (const [id, row] of await txn.chunks(space, chunks)) {
        const isCondemned = row.condemnedMs > 0
        if (isCondemned && use === 'need') continue
        kept.add(id)
        // Lost in a crash, the bytes could be deleted at once: a lease that is lost only makes them condemned sooner.
        if (isCondemned) txn.isSync = true
        txn.setChunk(space, id, { ...row, usedMs, condemnedMs: use === 'name' ? 0 : row.condemnedMs })
      }
      return kept
    })
  }

  /**
   * Somebody was told that these blobs are stored: nothing in them is condemned any more.
   * @returns those of which the index has everything.
   */
  renewBlobs(space: SpaceName, blobs: readonly BlobId[]): Promise<ReadonlySet<BlobId>> {
    return this.#queue.run(async (txn) => {
      const nowMs = this.uptime.nowMs()
      const kept = new Set<BlobId>()
      for (const blob of blobs) {
        const row = await txn.blob(space, blob)
        if (!row) continue
        if (row.freshMs + LEASE_MS / 2 <= nowMs) {
          const contents = await txn.contents(space, blob)
          const ids = new Set(contents?.map(({ id }) => id))
          const rows = await txn.chunks(space, [...ids])
          if (!contents || rows.size < ids.size) continue
          for (const [id, chunk] of rows) txn.setChunk(space, id, { ...chunk, usedMs: nowMs, condemnedMs: 0 })
          txn.setBlob(space, blob, { ...row, freshMs: nowMs })
          txn.isSync = true
        }
        kept.add(blob)
      }
      return kept
    })
  }

  /**
   * Forgets a blob that is gone, and all that is in it.
   *
   * @param chunks What is known to be in it.
   * @param isGone Asked again when it is this change's turn: an upload may have come in between.
   * @returns whether there was anything to forget: a blob that nobody needed is not lost.
   */
  drop(
    space: SpaceName,
    blob: BlobId,
    chunks: readonly ChunkId[],
    isGone: () => Promise<boolean>,
  ): Promise<boolean> {
    return this.#queue.run(async (txn) => {
      const contents = (await txn.contents(space, blob)) ?? []
      const rows = await txn.chunks(space, [...chunks, ...contents.map(({ id }) => id)])
      const isKnown = (await txn.blob(space, blob)) !== undefined
      const inIt = [...rows].filter(([, row]) => isIn(blob, row))
      if ((!isKnown && inIt.length === 0) || !(await isGone())) return false
      for (const [id, row] of inIt) txn.setChunk(space, id, withoutPlace(row, blob))
      txn.forgetBlob(space, blob)
      this.#noteLoss(txn, space)
      txn.isSync = true
      return true
    })
  }

  /** Registers name bytes that are not here, or may: what is lacking has to be found out. */
  setAuditDue(space: SpaceName): Promise<void> {
    return this.#queue.run(async (txn) => this.#noteLoss(txn, space))
  }

  #noteLoss(txn: IndexTransaction, space: SpaceName): void {
    txn.setAuditDue(space)
    this.#losses.set(space, (this.#losses.get(space) ?? 0) + 1)
  }
}
