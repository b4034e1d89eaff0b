import { expect, test } from 'vitest'
import { systemTimers } from './system-clock.js'

/** Timers for which Node would wait. */
const waitedFor = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length

test('a timer keeps the process alive only where that is asked for, and no longer than until it is cancelled', () => {
  const before = waitedFor()
  const cancelIdle = systemTimers.after(60_000, () => undefined)
  expect(waitedFor()).toBe(before)
  const cancelAwaited = systemTimers.after(60_000, () => undefined, { keepsAlive: true })
  expect(waitedFor()).toBe(before + 1)
  cancelAwaited()
  cancelIdle()
  expect(waitedFor()).toBe(before)
})
