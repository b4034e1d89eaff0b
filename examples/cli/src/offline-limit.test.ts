import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { OfflineLimit } from './offline-limit.js'

let overs: number
let limit: OfflineLimit
beforeEach(() => {
  vi.useFakeTimers()
  overs = 0
  limit = new OfflineLimit(30_000, () => (overs += 1))
})
afterEach(() => {
  limit.end()
  vi.useRealTimers()
})

const pass = (ms: number): void => void vi.advanceTimersByTime(ms)

test('without a connection it is over after the limit, however often that is said', () => {
  pass(20_000)
  limit.offline()
  pass(9_999)
  expect(overs).toBe(0)
  pass(1)
  expect(overs).toBe(1)
})

test('a first round may take longer than the limit', () => {
  pass(10_000)
  limit.open()
  pass(3_600_000)
  limit.syncPoint()
  pass(3_600_000)
  expect(overs).toBe(0)
})

test('a hub that goes away afterwards has the whole limit', () => {
  pass(10_000)
  limit.open()
  limit.syncPoint()
  limit.offline()
  pass(29_999)
  expect(overs).toBe(0)
  pass(1)
  expect(overs).toBe(1)
})

test('links that open and end before a sync point win no time', () => {
  for (let i = 0; i < 30; i++) {
    pass(999)
    limit.open()
    pass(10)
    limit.offline()
  }
  expect(overs).toBe(0)
  pass(30)
  expect(overs).toBe(1)
})
