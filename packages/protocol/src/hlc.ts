/**
 * Hybrid logical clock stamp: wall milliseconds and a counter. It only breaks ties between concurrent
 * siblings; causality is in contexts.
 * Source: Kulkarni et al., Logical Physical Clocks, OPODIS 2014.
 */
export interface Hlc {
  /** Milliseconds since 1970, 0 to 2^48 - 1. */
  readonly ms: number
  /** 0 to 2^32 - 1. */
  readonly counter: number
}

export const HLC_MS_MAX = 2 ** 48 - 1
export const HLC_COUNTER_MAX = 2 ** 32 - 1
export const HLC_ZERO: Hlc = { ms: 0, counter: 0 }

export function compareHlc(a: Hlc, b: Hlc): number {
  return a.ms !== b.ms ? a.ms - b.ms : a.counter - b.counter
}

/** @returns max(wall, last + 1), saturating: a clock that jumps back never makes a stamp go back. */
export function nextHlc(last: Hlc, wallMs: number): Hlc {
  const ms = Math.min(HLC_MS_MAX, Math.max(0, Math.floor(wallMs)))
  if (ms > last.ms) return { ms, counter: 0 }
  if (last.counter < HLC_COUNTER_MAX) return { ms: last.ms, counter: last.counter + 1 }
  if (last.ms < HLC_MS_MAX) return { ms: last.ms + 1, counter: 0 }
  return last
}

export const maxHlc = (a: Hlc, b: Hlc): Hlc => (compareHlc(a, b) >= 0 ? a : b)
