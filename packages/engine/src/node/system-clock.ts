import type { Clock, Timers } from '../ports/clock.js'

export const systemClock: Clock = { nowMs: () => Date.now() }

/** Node timers; a pending one does not keep the process alive unless that is asked for. */
export const systemTimers: Timers = {
  monotonicMs: () => performance.now(),
  after(delayMs, fn, { keepsAlive = false } = {}) {
    const timer = setTimeout(fn, delayMs)
    if (!keepsAlive) timer.unref()
    return () => clearTimeout(timer)
  },
}
