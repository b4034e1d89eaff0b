/** Wall clock. May jump; nothing but ties and display depends on it. */
export interface Clock {
  /** Milliseconds since 1970. */
  nowMs(): number
}

/** Monotonic timers. */
export interface Timers {
  /** Milliseconds from an arbitrary start; never goes back. */
  monotonicMs(): number
  /** Calls `fn` once after `delayMs`. @returns cancels, idempotent. */
  after(delayMs: number, fn: () => void): () => void
}
