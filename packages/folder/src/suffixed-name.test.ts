import { expect, test } from 'vitest'
import { suffixedName } from './suffixed-name.js'

const bytes = (name: string): number => Buffer.byteLength(name)

test.each([
  ['f.txt', 'f (2).txt'],
  ['f', 'f (2)'],
  ['.profile', '.profile (2)'],
  ['a.tar.gz', 'a.tar (2).gz'],
])('%s becomes %s', (name, expected) => {
  expect(suffixedName(name, ' (2)')).toBe(expected)
})

test.each([`${'é'.repeat(125)}.text`, `a.${'x'.repeat(253)}`, '😀'.repeat(63), 'x'.repeat(255)])(
  'a name of up to 255 bytes still fits: %s',
  (name) => {
    const made = suffixedName(name, ' (local 12)')
    expect(bytes(made)).toBeLessThanOrEqual(255)
    expect(bytes(made)).toBeGreaterThan(250)
    expect(made).toContain(' (local 12)')
    expect(Buffer.from(made).toString()).toBe(made)
  },
)
