import { deflateRawSync } from 'node:zlib'
import { DecodeError } from '@tidemark/protocol'
import { describe, expect, test } from 'vitest'
import { compressorRules } from '../../test/compressor-rules.js'
import { nodeCompressor } from './node-compressor.js'

describe('node:zlib', () => {
  compressorRules(nodeCompressor)

  test.each([1_000, 300_000])('bytes behind the end of a stream of %d are a DecodeError', async (length) => {
    const deflated = deflateRawSync(new Uint8Array(length))
    const longer = Buffer.concat([deflated, Uint8Array.of(0)])
    await expect(nodeCompressor.inflate(longer, length)).rejects.toBeInstanceOf(DecodeError)
  })

  test('thousands of tiny ones hold up nobody', async () => {
    const bytes = new Uint8Array(100)
    const deflated = (await nodeCompressor.deflate(bytes))!
    for (const once of [() => nodeCompressor.deflate(bytes), () => nodeCompressor.inflate(deflated, 100)]) {
      let turns = 0
      let isDone = false
      const turn = (): void => {
        turns += 1
        if (!isDone) setImmediate(turn)
      }
      setImmediate(turn)
      for (let i = 0; i < 2_000; i++) await once()
      isDone = true
      expect(turns).toBeGreaterThan(20)
    }
  })

  test('what it gives is no Buffer, whose slices are views', async () => {
    const bytes = new Uint8Array(1_000)
    const deflated = (await nodeCompressor.deflate(bytes))!
    const inflated = await nodeCompressor.inflate(deflated, 1_000)
    for (const made of [deflated, inflated]) expect(made.constructor).toBe(Uint8Array)
  })
})
