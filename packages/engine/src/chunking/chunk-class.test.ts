import { createHash } from 'node:crypto'
import { CHUNK_BYTES_MAX, FILE_BYTES_MAX } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { chunkBounds, chunkClass } from './chunk-class.js'
import { GEAR } from './gear-table.js'

const GIB = 2 ** 30

test.each([
  [0, 14],
  [1, 14],
  [256 * 2 ** 20, 14],
  [GIB, 16],
  [2 * GIB, 17],
  [16 * GIB, 20],
  [50e9, 22],
  [FILE_BYTES_MAX, 22],
])('a file of %d bytes has chunks of 2^%d bytes', (size, expected) => {
  expect(chunkClass(size)).toBe(expected)
})

test('the classes meet at 1.4 times powers of two, and a growing file passes each once', () => {
  for (let log2 = 14; log2 < 22; log2++) {
    const bound = Math.floor(1.4 * 2 ** (log2 + 14))
    expect(chunkClass(bound)).toBe(log2)
    expect(chunkClass(bound + 1)).toBe(log2 + 1)
  }
})

test('a size that is none is a RangeError', () => {
  for (const size of [-1, 0.5, Number.NaN, FILE_BYTES_MAX + 1])
    expect(() => chunkClass(size)).toThrow(RangeError)
})

test('the largest chunk of the largest class is CHUNK_BYTES_MAX', () => {
  expect(chunkBounds(22)).toEqual({ min: 2 ** 21, average: 2 ** 22, max: CHUNK_BYTES_MAX })
})

test('the gear table is SHA-256 of its label and line numbers', () => {
  const lines = Array.from({ length: 32 }, (_, i) =>
    createHash('sha256').update(`tidemark gear 1/${i}`).digest(),
  )
  const bytes = Buffer.concat(lines)
  expect([...GEAR]).toEqual(Array.from({ length: 256 }, (_, i) => bytes.readInt32BE(4 * i)))
})
