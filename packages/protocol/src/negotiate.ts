import { ProtocolError } from './errors.js'
import { FRAME_BYTES_MAX, FRAME_BYTES_TARGET } from './limits.js'
import type { Hello } from './messages/hello.js'

/** What both ends agreed on. Both compute the same from the same two hellos. */
export interface Agreement {
  /** The highest minor version that both speak. */
  readonly minor: number
  /** Features that both named, sorted. */
  readonly features: readonly string[]
  /** No frame of this session is longer, bytes. */
  readonly frameBytesMax: number
}

type Offer = Pick<Hello, 'minor' | 'features' | 'required' | 'frameBytesMax'>

/**
 * Symmetric: `negotiate(a, b)` equals `negotiate(b, a)`.
 *
 * @throws {ProtocolError} VERSION: no common minor; FEATURE: one end requires what the other did not name;
 *   UNEXPECTED_MESSAGE: an end accepts only frames too short to work with.
 */
export function negotiate(a: Offer, b: Offer): Agreement {
  const minor = Math.min(a.minor[1], b.minor[1])
  if (minor < a.minor[0] || minor < b.minor[0]) {
    throw new ProtocolError(
      'VERSION',
      `no common minor version: ${a.minor.join('-')} and ${b.minor.join('-')}`,
    )
  }
  const ofA = namedBy(a)
  const ofB = namedBy(b)
  const missing = [
    ...a.required.filter((name) => !ofB.has(name)),
    ...b.required.filter((name) => !ofA.has(name)),
  ]
  if (missing.length > 0) throw new ProtocolError('FEATURE', `required and not known: ${missing.join(', ')}`)
  const frameBytesMax = Math.min(a.frameBytesMax, b.frameBytesMax, FRAME_BYTES_MAX)
  if (frameBytesMax < FRAME_BYTES_TARGET) {
    throw new ProtocolError('UNEXPECTED_MESSAGE', `frames of ${frameBytesMax} bytes at most: too short`)
  }
  return { minor, features: [...ofA].filter((name) => ofB.has(name)).sort(), frameBytesMax }
}

/** A required feature is one that its sender knows. */
const namedBy = (offer: Offer): ReadonlySet<string> => new Set([...offer.features, ...offer.required])
