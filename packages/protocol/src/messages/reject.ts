import type { Dot } from '../dot.js'
import type { NodeEntry } from '../node-entry.js'

/** One entry that a hub did not take. */
export interface Refusal {
  /** Its node. */
  readonly node: string
  /** The writes of it that the hub has not taken; ascending. */
  readonly dots: readonly Dot[]
  /** A stable word for programs. */
  readonly code: string
  /** For people. */
  readonly message: string
  /** What the hub holds of the node; absent: nothing. */
  readonly accepted?: NodeEntry
}

/**
 * A hub refuses entries of the frame that it has just read. The rest of the frame is taken; its cursor and its
 * frontier stay before the frame, and it reads nothing more of this channel until a new OPEN.
 */
export interface Reject {
  readonly type: 'reject'
  readonly channel: number
  readonly refusals: readonly Refusal[]
}
