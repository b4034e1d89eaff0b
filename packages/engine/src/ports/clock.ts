/** Wall clock. May jump; nothing but ties and display depends on it. */
export interface Clock {
  /** Milliseconds since 1970. */
  nowMs(): number
}

/** Monotonic timers. */
export interface Timers {
  /** Milliseconds from an arbitrary start; never goes back. */
  monotonicMs(): number
  /**
   * Calls `fn` once after `delayMs`.
   * @param options.keepsAlive A program that has nothing else to do waits for it, and does not end. @default false
   * @returns cancels, idempotent.
   */
  after(delayMs: number, fn: () => void, options?: { readonly keepsAlive?: boolean }): () => void
}
