import type { BlobId, SpaceName } from '@tidemark/protocol'
import type { Logger } from '../logger.js'
import type { BlobIndex } from './blob-index.js'
import type { BlobLocks } from './blob-locks.js'
import type { BlobReader } from './blob-reader.js'

/** Nothing becomes for so long of a blob that was looked at, however often somebody distrusts it. */
const LOOK_AGAIN_MS = 60_000
/** Blobs of which it is known when they were looked at. */
const LOOKED_MAX = 1_024

export interface BlobTrustParts {
  readonly space: SpaceName
  readonly index: BlobIndex
  readonly reader: BlobReader
  readonly locks: BlobLocks
  readonly logger: Logger
  /** A blob is damaged, or somebody reads from one that is: what needs its chunks is not known yet. */
  readonly onDamaged?: (() => void) | undefined
}

/**
 * Blobs of one space that are in the store and are not what their ids say, as far as it was noticed: a disk rots, a
 * file is cut. They stay where they are, because some chunks in them may be good, and because it may have been the
 * reading that was wrong; they count as lost in all that is asked of the hub, but for readers who find no other place.
 */
export class BlobTrust {
  readonly #parts: BlobTrustParts
  readonly #lookedAtMs = new Map<BlobId, number>()
  readonly #looking = new Map<BlobId, Promise<void>>()
  #tail: Promise<unknown> = Promise.resolve()
  #damaged = new Set<BlobId>()
  #loaded: Promise<void> | undefined

  constructor(parts: BlobTrustParts) {
    this.#parts = parts
  }

  /** Once; before it nothing is known to be damaged. */
  load(): Promise<void> {
    const { space, index } = this.#parts
    this.#loaded ??= index.damaged(space).then(
      (damaged) => {
        this.#damaged = new Set(damaged)
      },
      (error: unknown) => {
        this.#loaded = undefined
        throw error
      },
    )
    return this.#loaded
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
      if (this.#wasLookedAt(blob)) return
      if (this.isDamaged(blob)) {
        // What it is read for may have come since its damage was found.
        await index.setAuditDue(space)
      } else if (await reader.isDamaged(blob)) {
        this.#damaged.add(blob)
        await index.setDamaged(space, blob)
        logger.warn('blob-damaged', { space, blob })
      }
      this.#noteLookedAt(blob)
      if (this.isDamaged(blob)) onDamaged?.()
    })
  }

  /** It was stored anew, was found to be good, or is no more. */
  async forget(blob: BlobId): Promise<void> {
    if (!this.#damaged.has(blob)) return
    const { space, index } = this.#parts
    await index.setUndamaged(space, blob)
    this.#damaged.delete(blob)
    this.#lookedAtMs.delete(blob)
  }

  #wasLookedAt(blob: BlobId): boolean {
    const lookedAtMs = this.#lookedAtMs.get(blob)
    return lookedAtMs !== undefined && lookedAtMs + LOOK_AGAIN_MS > this.#parts.index.nowMs
  }

  #noteLookedAt(blob: BlobId): void {
    this.#lookedAtMs.delete(blob)
    const [oldest] = this.#lookedAtMs.keys()
    if (this.#lookedAtMs.size >= LOOKED_MAX && oldest !== undefined) this.#lookedAtMs.delete(oldest)
    this.#lookedAtMs.set(blob, this.#parts.index.nowMs)
  }
}
