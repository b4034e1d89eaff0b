import { describe, expect, test } from 'vitest'
import { compareHlc, HLC_COUNTER_MAX, HLC_MS_MAX, HLC_ZERO, nextHlc } from './hlc.js'

describe('hybrid logical clock', () => {
  test.each([
    ['the wall is ahead', { ms: 5, counter: 9 }, 7, { ms: 7, counter: 0 }],
    ['the wall stands', { ms: 5, counter: 9 }, 5, { ms: 5, counter: 10 }],
    ['the wall jumped back', { ms: 5, counter: 9 }, 1, { ms: 5, counter: 10 }],
    ['fractions are cut', HLC_ZERO, 3.9, { ms: 3, counter: 0 }],
    ['a negative wall', HLC_ZERO, -5, { ms: 0, counter: 1 }],
    ['the counter is full', { ms: 5, counter: HLC_COUNTER_MAX }, 5, { ms: 6, counter: 0 }],
  ])('%s', (_, last, wall, expected) => {
    expect(nextHlc(last, wall)).toEqual(expected)
    expect(compareHlc(nextHlc(last, wall), last)).toBeGreaterThan(0)
  })

  test('it saturates', () => {
    const end = { ms: HLC_MS_MAX, counter: HLC_COUNTER_MAX }
    expect(nextHlc(end, Number.POSITIVE_INFINITY)).toEqual(end)
  })
})
