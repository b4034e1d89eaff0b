import { expect, test } from 'vitest'
import { UsageError } from './args.js'
import { parseRate } from './rate.js'

test.each([
  ['1', 1],
  ['2500', 2_500],
  ['500K', 512_000],
  ['500k', 512_000],
  ['1.5M', 1_572_864],
  ['2G', 2_147_483_648],
])('%s is %i bytes per second', (text, bytes) => {
  expect(parseRate('limit-up', text)).toBe(bytes)
})

test.each(['', '0', '0K', '0.5', '-1', '1T', 'fast', '1 M', '1MB', 'M', '1e6', '.5M'])(
  '%j is refused',
  (text) => {
    expect(() => parseRate('limit-up', text)).toThrow(UsageError)
    expect(() => parseRate('limit-up', text)).toThrow(/--limit-up/)
  },
)
