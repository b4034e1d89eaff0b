import type { Random } from '../ports/random.js'

/** First and longest delay between dials, milliseconds. */
export interface BackoffBounds {
  readonly minMs: number
  readonly maxMs: number
}

export const DIAL_BACKOFF: BackoffBounds = { minMs: 100, maxMs: 30_000 }

/**
 * Exponential backoff with full jitter: uniform in [min, min × 2^attempt], at most `maxMs`.
 * Source: Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
 *
 * @param attempt Failures in a row, from 0.
 */
export function backoffDelayMs(
  attempt: number,
  random: Random,
  bounds: BackoffBounds = DIAL_BACKOFF,
): number {
  const ceiling = Math.min(bounds.maxMs, bounds.minMs * 2 ** Math.min(attempt, 20))
  const [a, b] = random.bytes(2) as unknown as [number, number]
  const fraction = (a * 256 + b) / 65_536
  return bounds.minMs + Math.floor(fraction * Math.max(0, ceiling - bounds.minMs))
}
