import { ProtocolError } from './errors.js'
import { FRAME_BYTES_MAX } from './limits.js'
import type { Hello } from './messages/hello.js'

/** What both ends agreed on. Both compute the same from the same two hellos. */
export interface Agreement {
  /** The highest minor version that both speak. */
  readonly minor: number
  /** Features that both named, sorted. */
  readonly features: readonly string[]
}

type Offer = Pick<Hello, 'minor' | 'features' | 'required' | 'frameBytesMax'>

/**
 * Symmetric: `negotiate(a, b)` equals `negotiate(b, a)`.
 *
 * @throws {ProtocolError} VERSION: no common minor; FEATURE: one end requires what the other did not name;
 *   UNEXPECTED_MESSAGE: an end takes no frames of FRAME_BYTES_MAX.
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
  const frameBytesMax = Math.min(a.frameBytesMax, b.frameBytesMax)
  // One node, or what one end says of a space, cannot be told in several shorter ones.
  if (frameBytesMax < FRAME_BYTES_MAX) {
    throw new ProtocolError('UNEXPECTED_MESSAGE', `frames of ${frameBytesMax} bytes at most: too short`)
  }
  return { minor, features: [...ofA].filter((name) => ofB.has(name)).sort() }
}

/** A required feature is one that its sender knows. */
const namedBy = (offer: Offer): ReadonlySet<string> => new Set([...offer.features, ...offer.required])
