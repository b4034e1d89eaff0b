import { StoreError } from '@tidemark/protocol'
import { UPLOAD_BYTES_PER_MS_MIN } from '../adapters/deadline.js'
import { Budget } from '../memory/budget.js'
import type { Timers } from '../ports/clock.js'

/** Large bodies on their way up at once, at most. */
export const LARGE_BODIES_MAX = 6
/** The hub gave up reading a body. */
const REQUEST_TIMEOUT = 408

/** Sends a body of so many bytes. */
export type InTurn = (bytes: number, send: () => Promise<void>) => Promise<void>

/**
 * How many large bodies are on their way up at once, of all spaces of a replica. They share the link, and each is given up, by its client or by
 * the hub, when it is too slow by itself: all together would be, for ever, on a link that carries a few.
 */
export class LargeBodies {
  readonly #turns = new Budget(Number.POSITIVE_INFINITY, LARGE_BODIES_MAX)
  #atOnce = LARGE_BODIES_MAX
  #running = 0

  constructor(private readonly timers: Pick<Timers, 'monotonicMs'>) {}

  /**
   * Waits for a turn, and calls `put` with what it sends its body through.
   *
   * @throws what `put` throws; the signal's reason.
   */
  async run(signal: AbortSignal, put: (inTurn: InTurn) => Promise<void>): Promise<void> {
    const release = await this.#turns.take(0, signal)
    try {
      await put((bytes, send) => this.#measure(bytes, send))
    } finally {
      release()
    }
  }

  async #measure(bytes: number, send: () => Promise<void>): Promise<void> {
    const atOnce = this.#atOnce
    const startedMs = this.timers.monotonicMs()
    const runningBefore = ++this.#running
    try {
      await send()
      const running = Math.min(runningBefore, this.#running)
      const bytesMin = UPLOAD_BYTES_PER_MS_MIN * (this.timers.monotonicMs() - startedMs)
      // One more would still be fast enough.
      if (bytes * running >= bytesMin * (this.#atOnce + 1))
        this.#allow(Math.min(LARGE_BODIES_MAX, this.#atOnce + 1))
    } catch (error) {
      // Those that began together fail together: that is one sign, not many.
      if (isUnanswered(error)) this.#allow(Math.min(this.#atOnce, Math.max(1, atOnce >> 1)))
      throw error
    } finally {
      this.#running -= 1
    }
  }

  #allow(atOnce: number): void {
    this.#atOnce = atOnce
    this.#turns.allow(atOnce)
  }
}

const isUnanswered = (error: unknown): boolean =>
  error instanceof StoreError && (error.status === undefined || error.status === REQUEST_TIMEOUT)
