import { describe, expect, test } from 'vitest'
import { copyToKeep } from './slab.js'

const filled = (length: number, value: number) => new Uint8Array(length).fill(value)

describe('copies to keep', () => {
  test('hold what was copied, and no two of them share a byte', () => {
    const lengths = [0, 1, 100, 2_047, 2_048, 2_049, 40_000]
    const rounds = Array.from({ length: 40 }, (_, round) =>
      lengths.map((length, i) => ({ length, value: (round * lengths.length + i) % 251 })),
    ).flat()
    const copies = rounds.map(({ length, value }) => {
      const source = filled(length + 2, value)
      const copy = copyToKeep(source, 1, length + 1)
      source.fill(255)
      return copy
    })
    for (const [i, copy] of copies.entries()) {
      expect(copy).toEqual(filled(rounds[i]!.length, rounds[i]!.value))
    }
  })

  test('of short byte strings take one buffer together', () => {
    const buffers = Array.from({ length: 100 }, () => copyToKeep(filled(200, 1), 0, 200).buffer)
    expect(new Set(buffers).size).toBeLessThanOrEqual(2)
  })
})
