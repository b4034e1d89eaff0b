import { expect, test } from 'vitest'
import { UsageError } from './args.js'
import { parseMaxDelete } from './max-delete.js'

test('a number bounds the count alone, a share the share alone', () => {
  expect(parseMaxDelete('0')).toEqual({ count: 0, share: 0 })
  expect(parseMaxDelete('25')).toEqual({ count: 25, share: 0 })
  expect(parseMaxDelete('12.5%')).toEqual({ count: 0, share: 0.125 })
})

test.each(['', '-1', '1.5', 'many', '101%', '%', '5 %'])('%j is refused', (text) => {
  expect(() => parseMaxDelete(text)).toThrow(UsageError)
})
