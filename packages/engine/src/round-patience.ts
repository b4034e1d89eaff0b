import type { Timers } from './ports/clock.js'

/** Nothing came for this long: the round was cut, or its sender is gone. */
const QUIET_MS = 2_000
/** Rounds that never end, or follow each other closely, are waited for no longer than this. */
const WAIT_MS_MAX = 30_000

/**
 * How long a folder waits for the end of a round. Inside one it may see half of what somebody did at once,
 * but the rest may never come: the sender went away, or its database and the hub's were both put back and
 * nobody knows any more whose writes those are. See docs/decisions/0015.
 */
export class RoundPatience {
  #isOver = false
  /** Since when it is inside a round (monotonic milliseconds). */
  #sinceMs: number | undefined
  #cancel: (() => void) | undefined

  /** @param onOver The wait is over, and the round is not. */
  constructor(
    private readonly timers: Timers,
    private readonly isWhole: () => boolean,
    private readonly onOver: () => void,
  ) {
    this.changed()
  }

  /** Something was received, or is there from the last time. */
  changed(): void {
    this.close()
    this.#isOver = false
    if (this.isWhole()) {
      this.#sinceMs = undefined
      return
    }
    const nowMs = this.timers.monotonicMs()
    this.#sinceMs ??= nowMs
    const delayMs = Math.min(QUIET_MS, Math.max(0, this.#sinceMs + WAIT_MS_MAX - nowMs))
    this.#cancel = this.timers.after(delayMs, () => {
      this.#isOver = true
      this.#sinceMs = undefined
      this.onOver()
    })
  }

  /** What is there may be acted on although it is not whole. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** It fires no more, until something is received. */
  close(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }
}
