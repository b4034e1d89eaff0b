import {
  bytesToHex,
  type Dot,
  type Hlc,
  NODE_ID_BYTES,
  type NodeId,
  nextHlc,
  type ReplicaId,
  type SpaceName,
} from '@tidemark/protocol'
import type { Sha256 } from '../core/view/names.js'
import type { WriteContext } from '../core/write-context.js'
import type { Clock } from '../ports/clock.js'
import type { Random } from '../ports/random.js'

export interface SpaceWriterOptions {
  readonly space: SpaceName
  readonly sha256: Sha256
  readonly clock: Clock
  readonly random: Random
  /** The last stamp seen. */
  readonly hlc: Hlc
  /** The replica id of this open, noted as used. */
  takeRid(): ReplicaId
  /** The last sequence number that was used under an id. */
  lastSeq(rid: ReplicaId): number
  wrote(dot: Dot): void
}

/** Names the writes of one batch. What it gave out counts only once the batch is in. */
export class SpaceWriter implements WriteContext {
  readonly space: SpaceName
  readonly sha256: Sha256
  /** The last stamp given out. */
  hlc: Hlc
  #last: Dot | undefined

  constructor(private readonly options: SpaceWriterOptions) {
    this.space = options.space
    this.sha256 = options.sha256
    this.hlc = options.hlc
  }

  nextDot(): Dot {
    const { takeRid, lastSeq, wrote } = this.options
    const rid = this.#last?.rid ?? takeRid()
    const dot = { rid, seq: (this.#last?.seq ?? lastSeq(rid)) + 1 }
    this.#last = dot
    wrote(dot)
    return dot
  }

  nextHlc(): Hlc {
    this.hlc = nextHlc(this.hlc, this.options.clock.nowMs())
    return this.hlc
  }

  randomNodeId(): NodeId {
    return bytesToHex(this.options.random.bytes(NODE_ID_BYTES)) as NodeId
  }
}
