import type { ChunkToPack, PackFormat, SpaceDatabase } from '@tidemark/engine'
import type { BlobId, ChunkId, SpaceName } from '@tidemark/protocol'
import type { BlobIndex } from '../grants/blob-index.js'
import type { Keeping, Verdict } from '../grants/sweep-index.js'
import type { SweptBlobs } from '../grants/swept-blobs.js'
import { isDamage } from '../grants/version-check.js'
import type { Logger } from '../logger.js'
import type { Uptime } from '../uptime.js'
import { ChunkMarker } from './chunk-marker.js'

export interface SpaceSweepParts {
  readonly space: SpaceName
  readonly database: Pick<SpaceDatabase, 'snapshot' | 'lseq' | 'isRejoining'>
  readonly index: BlobIndex
  readonly blobs: SweptBlobs
  readonly packs: Pick<PackFormat, 'verify'>
  readonly uptime: Uptime
  /** How long a chunk is condemned before it is deleted, milliseconds. */
  readonly keepMs: number
  /** See `StoreClaim`. */
  soleSinceMs(): Promise<number | undefined>
  readonly logger: Logger
  /** A register names bytes that are not here. */
  onLacking(): void
}

/** What a whole pass over one space found and did. */
export interface SweepResult {
  /** Of chunks that nothing needs and that are kept for a while. */
  readonly condemnedBytes: number
  readonly deletedBlobs: number
  /** Of chunks in the blobs that were deleted. */
  readonly deletedBytes: number
  /** Blobs whose living chunks were moved to a new one. */
  readonly rewrittenBlobs: number
}

/**
 * Finds the bytes of a space that nobody needs any more, and deletes them later: decision 0021. One pass marks what
 * registers name, condemns what it did not mark and nobody has a lease on, and deletes what was condemned for long
 * enough. A pass may end anywhere: each change of the index is whole, and a blob goes after the rows that name it.
 */
export class SpaceSweep {
  constructor(private readonly parts: SpaceSweepParts) {}

  /**
   * @returns `undefined`, with a line in the log, where not everything could be marked: from then on nothing was
   *   condemned, and what is lacking is asked for. And where another hub uses the store.
   * @throws {StoreError} and what the database throws; the signal's reason. What was done until then stays done.
   */
  async run(signal: AbortSignal): Promise<SweepResult | undefined> {
    const { space, database, blobs, index, uptime, logger } = this.parts
    if (database.isRejoining) return undefined
    // Before anything is judged: a database that went back does not know of blobs that came since.
    await blobs.reindex(signal)
    const passMs = await uptime.save()
    const marker = new ChunkMarker({ ...this.parts, index: index.sweeping, passMs, signal })
    try {
      const result = await this.#sweep(marker, passMs, signal)
      if (result) logger.info('sweep-done', { space, ...result })
      return result
    } catch (error) {
      if (signal.aborted || !isDamage(error)) throw error
      logger.warn('sweep-incomplete', { space, error })
      await this.#lacking()
      return undefined
    }
  }

  async #sweep(marker: ChunkMarker, passMs: number, signal: AbortSignal): Promise<SweepResult | undefined> {
    const { space, index, keepMs } = this.parts
    await marker.catchUp()
    if (marker.absent > 0) await this.#lacking()
    let [condemnedBytes, deletedBlobs, deletedBytes, rewrittenBlobs] = [0, 0, 0, 0]
    for await (const page of index.blobs(space)) {
      for (const blob of page) {
        signal.throwIfAborted()
        const soleSinceMs = await this.parts.soleSinceMs()
        if (soleSinceMs === undefined) return undefined
        const keeping = { keepMs, soleSinceMs }
        const verdict = await this.#judge(blob, marker, passMs, keeping)
        if (!verdict) continue
        if (verdict.living.size === 0 && (await this.#remove(blob, marker, keeping))) {
          deletedBlobs += 1
          deletedBytes += verdict.bytes
          continue
        }
        condemnedBytes += verdict.condemnedBytes
        const isWorthIt = verdict.living.size > 0 && 2 * verdict.deletableBytes >= verdict.bytes
        if (isWorthIt && (await this.#rewrite(blob, verdict.living))) rewrittenBlobs += 1
      }
    }
    return { condemnedBytes, deletedBlobs, deletedBytes, rewrittenBlobs }
  }

  async #judge(
    blob: BlobId,
    marker: ChunkMarker,
    passMs: number,
    keeping: Keeping,
  ): Promise<Verdict | undefined> {
    const { space, index, blobs } = this.parts
    await marker.catchUp()
    const verdict = await index.sweeping.judge(space, blob, passMs, keeping)
    // Indexed before blobs had lists of what is in them.
    if (!verdict) await blobs.indexContents(blob)
    return verdict
  }

  async #remove(blob: BlobId, marker: ChunkMarker, keeping: Keeping): Promise<boolean> {
    await marker.catchUp()
    return this.parts.blobs.remove(blob, { ...keeping, isCurrent: () => marker.isCurrent })
  }

  /** One blob in memory at a time. @returns false where it cannot be read: it stays as it is. */
  async #rewrite(blob: BlobId, living: ReadonlySet<ChunkId>): Promise<boolean> {
    const { blobs, packs } = this.parts
    const bytes = await blobs.readBlob(blob)
    if (!bytes) return false
    const chunks = new Map<ChunkId, ChunkToPack>()
    for (const { id, offset, storedLength, codec, length } of await packs.verify(bytes)) {
      if (!living.has(id)) continue
      chunks.set(id, { id, bytes: bytes.subarray(offset, offset + storedLength), codec, length })
    }
    await blobs.rewrite(blob, [...chunks.values()])
    return true
  }

  async #lacking(): Promise<void> {
    const { space, index, onLacking } = this.parts
    await index.setAuditDue(space)
    onLacking()
  }
}
