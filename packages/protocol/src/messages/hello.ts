import type { DeviceId } from '../ids.js'

/** First message of both ends. The first frame of each direction is the preamble (magic, major). */
export interface Hello {
  readonly type: 'hello'
  /** Minor versions of this major that the sender speaks: [min, max]. */
  readonly minor: readonly [number, number]
  /** Optional features: unknown ones are ignored. */
  readonly features: readonly string[]
  /** Features without which the sender will not go on: an unknown one refuses the session. */
  readonly required: readonly string[]
  /** The largest frame that the sender accepts, bytes: FRAME_BYTES_MAX or more, which this version does not use. */
  readonly frameBytesMax: number
  readonly device: DeviceId
  /** `hub`: decides membership and grants. `replica`: everyone else. */
  readonly role: 'hub' | 'replica'
  /** Bearer token, from a replica to a hub. */
  readonly token?: string
  /** Free text for logs: product and version. */
  readonly agent: string
}
