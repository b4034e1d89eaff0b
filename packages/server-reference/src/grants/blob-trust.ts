import type { BlobId, SpaceName } from '@tidemark/protocol'
import type { Logger } from '../logger.js'
import type { BlobIndex } from './blob-index.js'
import type { BlobLocks } from './blob-locks.js'
import type { BlobReader } from './blob-reader.js'

/** A blob that was found to be good is not read again for so long, however often somebody distrusts it. */
const GOOD_FOR_MS = 60_000
/** Blobs of which that is known. */
const GOOD_MAX = 1_024

export interface BlobTrustParts {
  readonly space: SpaceName
  readonly index: BlobIndex
  readonly reader: BlobReader
  readonly locks: BlobLocks
  readonly logger: Logger
  /** A blob is damaged: what needs its chunks is not known yet. */
  readonly onDamaged?: (() => void) | undefined
}

/**
 * Blobs of one space that are in the store and are not what their ids say, as far as it was noticed: a disk rots, a
 * file is cut. They stay where they are, because some chunks in them may be good, and because it may have been the
 * reading that was wrong; they count as lost in all that is asked of the hub, but for readers who find no other place.
 */
export class BlobTrust {
  readonly #parts: BlobTrustParts
  readonly #goodSince = new Map<BlobId, number>()
  readonly #looking = new Map<BlobId, Promise<void>>()
  #tail: Promise<unknown> = Promise.resolve()
  #damaged = new Set<BlobId>()

  constructor(parts: BlobTrustParts) {
    this.#parts = parts
  }

  async load(): Promise<void> {
    const { space, index } = this.#parts
    this.#damaged = new Set(await index.damaged(space))
  }

  isDamaged(blob: BlobId): boolean {
    return this.#damaged.has(blob)
  }

  get damaged(): readonly BlobId[] {
    return [...this.#damaged]
  }

  /**
   * Looks at blobs that somebody distrusts: one at a time, and each once for all who ask meanwhile, because each is
   * held in memory. @throws {StoreError}, the signal's reason.
   */
  async check(blobs: readonly BlobId[], signal?: AbortSignal): Promise<void> {
    const { space, index } = this.#parts
    const known = await index.hasBlobs(space, blobs)
    for (const [i, blob] of blobs.entries()) {
      signal?.throwIfAborted()
      if (!known[i]) continue
      let looking = this.#looking.get(blob)
      if (!looking) {
        looking = this.#tail.then(() => this.#look(blob)).finally(() => this.#looking.delete(blob))
        this.#looking.set(blob, looking)
        this.#tail = looking.catch(() => undefined)
      }
      await looking
    }
  }

  /** Nothing becomes of the blob while it is looked at. */
  #look(blob: BlobId): Promise<void> {
    const { space, index, reader, locks, logger, onDamaged } = this.#parts
    return locks.run(blob, async () => {
      if (this.isDamaged(blob) || this.#isGood(blob)) return
      if (!(await reader.isDamaged(blob))) {
        this.#noteGood(blob)
        return
      }
      this.#damaged.add(blob)
      await index.setDamaged(space, blob)
      logger.warn('blob-damaged', { space, blob })
      onDamaged?.()
    })
  }

  /** It was stored anew, was found to be good, or is no more. */
  async forget(blob: BlobId): Promise<void> {
    if (!this.#damaged.has(blob)) return
    const { space, index } = this.#parts
    await index.setUndamaged(space, blob)
    this.#damaged.delete(blob)
  }

  #isGood(blob: BlobId): boolean {
    const sinceMs = this.#goodSince.get(blob)
    return sinceMs !== undefined && sinceMs + GOOD_FOR_MS > this.#parts.index.nowMs
  }

  #noteGood(blob: BlobId): void {
    const [oldest] = this.#goodSince.keys()
    if (this.#goodSince.size >= GOOD_MAX && oldest !== undefined) this.#goodSince.delete(oldest)
    this.#goodSince.set(blob, this.#parts.index.nowMs)
  }
}
