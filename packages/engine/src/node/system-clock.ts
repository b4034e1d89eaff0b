import type { Clock, Timers } from '../ports/clock.js'

export const systemClock: Clock = { nowMs: () => Date.now() }

/** Node timers; a pending one does not keep the process alive. */
export const systemTimers: Timers = {
  monotonicMs: () => performance.now(),
  after(delayMs, fn) {
    const timer = setTimeout(fn, delayMs)
    timer.unref()
    return () => clearTimeout(timer)
  },
}
