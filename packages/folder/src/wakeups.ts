import { setImmediate } from 'node:timers/promises'
import type { Timers } from '@tidemark/engine'

/** The loop's sleep, and whatever ends it. */
export class Wakeups {
  readonly #cancels = new Set<() => void>()
  #isWoken = false
  #resolve: (() => void) | undefined

  constructor(private readonly timers: Timers) {}

  monotonicMs(): number {
    return this.timers.monotonicMs()
  }

  /** Ends the sleep, or the next one before it begins. */
  wake(): void {
    this.#isWoken = true
    this.#resolve?.()
  }

  /** Resolves after `ms`, or at `wake`. */
  async sleep(ms: number): Promise<void> {
    if (!this.#isWoken && ms > 0) {
      const cancel = this.after(ms, () => this.wake())
      await new Promise<void>((resolve) => {
        this.#resolve = resolve
      })
      cancel()
    } else {
      // Whatever the loop believes it has to do, it never keeps others from doing theirs.
      await setImmediate()
    }
    this.#resolve = undefined
    this.#isWoken = false
  }

  after(ms: number, fn: () => void): () => void {
    const cancelTimer = this.timers.after(ms, () => {
      this.#cancels.delete(cancel)
      fn()
    })
    const cancel = () => {
      this.#cancels.delete(cancel)
      cancelTimer()
    }
    this.#cancels.add(cancel)
    return cancel
  }

  /** Cancels all that is under way. */
  close(): void {
    for (const cancel of [...this.#cancels]) cancel()
  }
}
