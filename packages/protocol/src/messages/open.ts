import type { Vector } from '../context.js'
import type { ReplicaId, RunId, SpaceName } from '../ids.js'

/** Of a replica at which nothing was ever collected. */
export const NO_SWEEP = '0000000000000000' as RunId

/** Starts (or restarts) the exchange of one space: both ends send it, each as the receiver of the other's stream. */
export interface Open {
  readonly type: 'open'
  readonly space: SpaceName
  /** Number that the sender uses for this space in this session; 1 to CHANNELS_MAX. */
  readonly channel: number
  /** What the sender truly has. */
  readonly frontier: Vector
  /** How far the sender got in the other end's log. Absent: nothing, or not resumable. */
  readonly cursor?: Cursor
  /** The other end's frontier as the sender remembers it from the last sync point: tells a rolled-back database. */
  readonly remembered: Vector
  /** Per replica id the highest sequence number that the sender ever met in any dot or context. */
  readonly met: Vector
  /** Replica ids of the sender's device, with the highest sequence number its own database knows of each. */
  readonly own: Vector
  /** What was collected at the sender, or before it: who knows of its writes and is not past it begins anew. */
  readonly floor: Vector
  /** What the sender holds as the other end's acknowledgement; empty: none under its list of members. */
  readonly acked: Vector
  /** Another one after each collection that the sender did or heard of; at first `NO_SWEEP`. */
  readonly sweep: RunId
  /**
   * The other end's `sweep` from before the sender took anything from it: its first round was cut, it holds
   * writes of others and has none in its frontier. Never said by a hub to a replica.
   */
  readonly basis?: RunId
  /** Counts the sender's OPENs of this space in this session, from 1. */
  readonly number: number
  /** The number of the last OPEN that the sender got; 0: none yet. */
  readonly answers: number
  /** The sender begins anew: the other end answers with an OPEN of its own, and streams from the start. */
  readonly anew?: boolean
  /**
   * The sender, a hub, has a list of members on which the receiver does not stand: the floor is that of all
   * that anybody may have collected without it.
   */
  readonly stranger?: boolean
  /** What the sender's tree reflects, and its disk where it has one. Absent: all of its frontier. */
  readonly applied?: Vector
  /** The sender takes no entries from the receiver, which may only read. */
  readonly readOnly?: boolean
}

/** A place in one run of a sender's log of registers. */
export interface Cursor {
  readonly run: RunId
  readonly lseq: number
}

/** Tells the receiver that its cursor was void and that the stream starts at the beginning. */
export interface Rewind {
  readonly type: 'rewind'
  readonly channel: number
  readonly reason: 'unknown-run' | 'rolled-back' | 'requested'
}

export interface LostReplica {
  readonly rid: ReplicaId
  /** The highest sequence number that the rolled-back database still has. */
  readonly seq: number
}
