import type { Vector } from '../context.js'
import type { RunId } from '../ids.js'
import type { LostReplica } from './open.js'

/**
 * End of a round: everything below `frontier` was sent, or the receiver said that it has it. The vectors name what has
 * risen since the sender's last one; those of the first one after an `open` of either end, all.
 */
export interface SyncPoint {
  readonly type: 'sync-point'
  readonly channel: number
  readonly run: RunId
  /** Log position up to which the round's snapshot reached. */
  readonly lseq: number
  /** The sender's frontier in that snapshot. */
  readonly frontier: Vector
  /** Per replica id the highest sequence number that the sender ever met. */
  readonly met: Vector
  /** Replica ids whose database was rolled back: dots above `seq` may be known to nobody's frontier. */
  readonly lost: readonly LostReplica[]
  /** See `Open.floor`. */
  readonly floor: Vector
}
