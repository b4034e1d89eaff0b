import { deflateRawSync } from 'node:zlib'
import { DecodeError } from '@tidemark/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Compressor } from '../src/index.js'
import { seededBytes } from './bytes.js'

const MIB = 2 ** 20

/** What every compressor keeps to, whatever it is made of. */
export function compressorRules(compressor: Compressor): void {
  const both = async (bytes: Uint8Array): Promise<Uint8Array | undefined> => {
    const deflated = await compressor.deflate(bytes)
    if (!deflated) return undefined
    expect(deflated.length).toBeLessThan(bytes.length)
    return compressor.inflate(deflated, bytes.length)
  }

  test('what is deflated is smaller, and inflates to what it was', async () => {
    const text = fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(4_000))
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 300 }), text), async (made) => {
        const bytes =
          made instanceof Uint8Array
            ? made
            : Uint8Array.from({ length: made[1] }, (_, i) => made[0][i % made[0].length]!)
        expect((await both(bytes)) ?? bytes).toEqual(bytes)
      }),
      { numRuns: 60 },
    )
  })

  test.each([100, 40_000, 200_000, 3 * MIB])('text of %d bytes', async (length) => {
    const bytes = Uint8Array.from({ length }, (_, i) => 97 + (i % 7) + (i % 11))
    expect(Buffer.compare((await both(bytes))!, bytes)).toBe(0)
  })

  test('what would not be smaller is not there, nor is nothing', async () => {
    for (const length of [0, 1, 2, 50, 40_000, MIB]) {
      expect(await compressor.deflate(seededBytes(7, length))).toBeUndefined()
    }
  })

  test('another length than was said, a cut stream, and what is none are a DecodeError', async () => {
    for (const length of [1_000, 300_000]) {
      const deflated = deflateRawSync(new Uint8Array(length).fill(5))
      const wrong: [Uint8Array, number][] = [
        [deflated, length - 1],
        [deflated, length + 1],
        [deflated, 0],
        [deflated.subarray(0, -1), length],
        [new Uint8Array(), length],
        [seededBytes(3, 200), length],
        [Uint8Array.of(7), length],
      ]
      for (const [bytes, said] of wrong) {
        await expect(compressor.inflate(bytes, said)).rejects.toBeInstanceOf(DecodeError)
      }
    }
  })

  test('a bomb is given up as soon as it makes more than was said', async () => {
    const bomb = deflateRawSync(new Uint8Array(256 * MIB), { level: 9 })
    const before = process.memoryUsage().arrayBuffers
    await expect(compressor.inflate(bomb, MIB)).rejects.toBeInstanceOf(DecodeError)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * MIB)
  })
}
