import type { Vector } from '../context.js'
import type { StateDigest } from '../ids.js'

/** What the sender shows, as one number: two ends with one frontier show the same. */
export interface Digest {
  readonly type: 'digest'
  readonly channel: number
  /** What the sender had when it counted. */
  readonly frontier: Vector
  readonly digest: StateDigest
}
