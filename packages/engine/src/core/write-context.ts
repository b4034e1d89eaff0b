import type { Dot, Hlc, NodeId, SpaceName } from '@tidemark/protocol'
import type { Sha256 } from './view/names.js'

/** What making register writes needs from outside: names of events, stamps, randomness. */
export interface WriteContext {
  readonly space: SpaceName
  /** The next dot of this incarnation. */
  nextDot(): Dot
  /** A stamp above every one seen so far. */
  nextHlc(): Hlc
  /** 16 random bytes as an id. */
  randomNodeId(): NodeId
  readonly sha256: Sha256
}
