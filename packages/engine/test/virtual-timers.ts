import type { Timers } from '../src/index.js'

interface Timer {
  readonly atMs: number
  readonly fn: () => void
}

/** Time that passes when a test says so. */
export class VirtualTimers implements Timers {
  #nowMs = 0
  readonly #timers = new Set<Timer>()

  monotonicMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, fn: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, fn }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** Timers that were neither called nor cancelled. */
  get pending(): number {
    return this.#timers.size
  }

  /** Whatever is due happens in order, and what comes of each before the next. */
  async pass(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve))
      const [next] = [...this.#timers].sort((a, b) => a.atMs - b.atMs)
      if (!next || next.atMs > endMs) break
      this.#timers.delete(next)
      this.#nowMs = next.atMs
      next.fn()
    }
    this.#nowMs = endMs
  }
}
