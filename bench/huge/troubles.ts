import { randomOf } from '../../test/support/bytes.js'

export type TroubleKind = 'program' | 'hub' | 'network'

/** Something is ended while the file is on its way. */
export interface Trouble {
  readonly kind: TroubleKind
  /** When so many bytes are where they belong… */
  readonly atBytes: number
  /** …and this much later, milliseconds: anywhere inside a pack or a range. */
  readonly delayMs: number
}

const KINDS: readonly TroubleKind[] = ['program', 'hub', 'network']
/** The last ones come early enough to find something to interrupt. */
const LAST_SHARE = 0.9
const DELAY_MS_MAX = 250

/** In order. Kinds take turns from a random one on, so that none is left out. */
export function troublesOf(seed: number, count: number, size: number): Trouble[] {
  const random = randomOf(seed)
  const first = Math.floor(random() * KINDS.length)
  const places = Array.from({ length: count }, () => Math.floor(random() * LAST_SHARE * size))
  return places
    .sort((a, b) => a - b)
    .map((atBytes, i) => ({
      kind: KINDS[(first + i) % KINDS.length]!,
      atBytes,
      delayMs: random() * DELAY_MS_MAX,
    }))
}
