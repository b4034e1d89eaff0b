import type { Clock, Timers } from '@tidemark/engine'
import type { Outside } from './outside.js'

/** Turns of the event loop at one moment: who asks for more keeps a processor busy with nothing. */
const TURNS_MAX = 1_000

/** Somebody does not wait for anything, and does not come to an end. */
export class RestlessError extends Error {
  override readonly name = 'RestlessError'
}

interface Timer {
  readonly atMs: number
  readonly number: number
  readonly fn: () => void
}

/** Time that passes only when nobody has anything to do. */
export class VirtualTime implements Clock, Timers {
  /** 2023-11-14: any date does. */
  #wallMs = 1_700_000_000_000
  #monotonicMs = 0
  /** How often somebody has set the clock. */
  jumps = 0
  readonly #timers = new Set<Timer>()
  #count = 0

  /**
   * @param outside What adapters do in real time: it takes none of this one.
   * @param onMoment Called before each thing that was due at a time; what it throws ends the run.
   */
  constructor(
    private readonly outside: Outside,
    private readonly onMoment: () => void = () => {},
  ) {}

  nowMs(): number {
    return this.#wallMs
  }

  monotonicMs(): number {
    return this.#monotonicMs
  }

  after(delayMs: number, fn: () => void): () => void {
    const timer = { atMs: this.#monotonicMs + Math.max(0, delayMs), number: this.#count++, fn }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** Somebody sets the clock; timers do not care. */
  jump(ms: number): void {
    this.#wallMs += ms
    this.jumps++
  }

  /**
   * Lets `ms` pass; whatever is due happens in order.
   *
   * @throws {RestlessError} and what `onMoment` throws
   */
  async pass(ms: number): Promise<void> {
    const endMs = this.#monotonicMs + ms
    for (;;) {
      do await settle()
      while (await this.outside.rest())
      const next = this.#next()
      if (!next || next.atMs > endMs) break
      this.#timers.delete(next)
      this.#moveTo(next.atMs)
      this.onMoment()
      next.fn()
    }
    this.#moveTo(endMs)
  }

  #next(): Timer | undefined {
    let next: Timer | undefined
    for (const timer of this.#timers) {
      const isBefore =
        next && (timer.atMs < next.atMs || (timer.atMs === next.atMs && timer.number < next.number))
      if (!next || isBefore) next = timer
    }
    return next
  }

  #moveTo(monotonicMs: number): void {
    this.#wallMs += monotonicMs - this.#monotonicMs
    this.#monotonicMs = monotonicMs
  }
}

/** Until nobody asks for another turn of the event loop: mostly it takes one. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    await new Promise((resolve) => setImmediate(resolve))
    if (!process.getActiveResourcesInfo().includes('Immediate')) return
  }
  throw new RestlessError(`${TURNS_MAX} turns of the event loop, and no time passed`)
}
