import type { Clock, Timers } from '../ports/clock.js'

export const systemClock: Clock = { nowMs: () => Date.now() }

/** Timers of the page: those of a page in the background come up to a minute late. */
export const systemTimers: Timers = {
  monotonicMs: () => performance.now(),
  after(delayMs, fn) {
    const timer = setTimeout(fn, delayMs)
    return () => clearTimeout(timer)
  },
}
