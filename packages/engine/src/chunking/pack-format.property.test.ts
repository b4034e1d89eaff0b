import {
  BLOB_BYTES_MAX,
  CHUNK_BYTES_MAX,
  type ChunkId,
  ChunkMismatchError,
  DecodeError,
  LimitError,
  PACK_CHUNKS_MAX,
} from '@tidemark/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { seededBytes } from '../../test/bytes.js'
import { nodeCompressor as compressor } from '../node/node-compressor.js'
import { nodeHasher as hasher } from '../node/node-hasher.js'
import { type ChunkToPack, PackFormat } from './pack-format.js'

const packs = new PackFormat(hasher, compressor)
const idOf = (bytes: Uint8Array) => Buffer.from(hasher.sha256(bytes)).toString('hex') as ChunkId
const chunkOf = (bytes: Uint8Array) => ({ id: idOf(bytes), bytes })

describe('pack', () => {
  test('what is built is verified, and every chunk stands where its entry says', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 20 }),
        async (parts) => {
          const built = await packs.build(parts.map(chunkOf))
          expect(built.id).toBe(idOf(built.bytes))
          expect(await packs.verify(built.bytes)).toEqual(built.chunks)
          for (const [i, { offset, storedLength, id }] of built.chunks.entries()) {
            expect(idOf(built.bytes.subarray(offset, offset + storedLength))).toBe(id)
            expect(id).toBe(idOf(parts[i]!))
          }
        },
      ),
    )
  })

  test('[TR1] any mixture of plain and compressed chunks is verified, and reads back', async () => {
    const part = fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 60 }), fc.integer({ min: 1, max: 80 }))
    const toPack = async (
      [unit, times]: [Uint8Array, number],
      mayCompress: boolean,
    ): Promise<ChunkToPack> => {
      const bytes = Uint8Array.from({ length: unit.length * times }, (_, i) => unit[i % unit.length]!)
      const deflated = mayCompress ? await compressor.deflate(bytes) : undefined
      const id = idOf(bytes)
      return deflated ? { id, bytes: deflated, codec: 1, length: bytes.length } : { id, bytes }
    }
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(part, fc.boolean()), { minLength: 1, maxLength: 12 }),
        async (parts) => {
          const chunks = await Promise.all(parts.map(([made, mayCompress]) => toPack(made, mayCompress)))
          const built = await packs.build(chunks)
          expect(await packs.verify(built.bytes)).toEqual(built.chunks)
          for (const [i, chunk] of built.chunks.entries()) {
            const { offset, storedLength, id } = chunk
            const stored = built.bytes.subarray(offset, offset + storedLength)
            expect(idOf(await packs.plain(stored, chunk))).toBe(id)
            expect([id, chunk.codec]).toEqual([chunks[i]!.id, chunks[i]!.codec ?? 0])
          }
        },
      ),
    )
  })

  test('one changed byte anywhere in a pack with compressed chunks is a typed failure, or changes nothing', async () => {
    const text = Uint8Array.from({ length: 400 }, (_, i) => 97 + (i % 9))
    const deflated = (await compressor.deflate(text))!
    const { bytes, chunks } = await packs.build([
      { id: idOf(text), bytes: deflated, codec: 1, length: text.length },
      chunkOf(seededBytes(1, 30)),
    ])
    for (let at = 0; at < bytes.length; at++) {
      const damaged = bytes.slice()
      damaged[at]! ^= 1 << (at % 8)
      const found = await packs.verify(damaged).catch((thrown: unknown) => thrown)
      // The last byte of a stream may have bits that nobody reads.
      if (Array.isArray(found)) expect(found).toEqual(chunks)
      else
        expect([DecodeError, LimitError, ChunkMismatchError].some((type) => found instanceof type)).toBe(true)
    }
  })

  test('chunks that together are more than a blob, plain, do not become a pack', async () => {
    const zeros = new Uint8Array(CHUNK_BYTES_MAX)
    const bytes = (await compressor.deflate(zeros))!
    const chunk = { id: idOf(zeros), bytes, codec: 1, length: zeros.length }
    await expect(packs.build([chunk, chunk])).rejects.toMatchObject({ limit: 'BLOB_BYTES_MAX' })
    expect(await packs.verify((await packs.build([chunk])).bytes)).toHaveLength(1)
  })

  test('what packs inflate to that are verified at once is bounded, however many and small they are', async () => {
    const zeros = new Uint8Array(CHUNK_BYTES_MAX)
    const bytes = (await compressor.deflate(zeros))!
    const bomb = await packs.build([{ id: idOf(zeros), bytes, codec: 1, length: zeros.length }])
    let [held, most] = [0, 0]
    const counted = new PackFormat(
      {
        ...hasher,
        sha256Async: async (plain) => {
          await new Promise(setImmediate)
          held -= plain.length
          return hasher.sha256(Uint8Array.of())
        },
      },
      {
        ...compressor,
        inflate: async (_, length) => {
          held += length
          most = Math.max(most, held)
          return zeros
        },
      },
    )
    const verified = await Promise.allSettled(Array.from({ length: 20 }, () => counted.verify(bomb.bytes)))
    expect(verified.map(({ status }) => status)).toEqual(verified.map(() => 'rejected'))
    expect(most).toBeLessThanOrEqual(2 * BLOB_BYTES_MAX)
  })

  test('the largest chunk alone is a pack', async () => {
    const built = await packs.build([chunkOf(new Uint8Array(CHUNK_BYTES_MAX))])
    expect(await packs.verify(built.bytes)).toHaveLength(1)
  })

  test('one changed byte anywhere is refused with a typed failure', async () => {
    const { bytes } = await packs.build([10, 0, 100].map((length, i) => chunkOf(seededBytes(i + 1, length))))
    for (let at = 0; at < bytes.length; at++) {
      const damaged = bytes.slice()
      damaged[at]! ^= 1 << (at % 8)
      const error = await packs.verify(damaged).catch((thrown: unknown) => thrown)
      expect([DecodeError, LimitError, ChunkMismatchError].some((type) => error instanceof type)).toBe(true)
    }
  })

  test('bytes that belong to no chunk, and a chunk that reaches into the index, are refused', async () => {
    const { bytes } = await packs.build([chunkOf(seededBytes(1, 100))])
    const longer = Buffer.concat([bytes.subarray(0, 100), Uint8Array.of(0), bytes.subarray(100)])
    await expect(packs.verify(longer)).rejects.toBeInstanceOf(DecodeError)
    const shorter = Buffer.concat([bytes.subarray(0, 99), bytes.subarray(100)])
    await expect(packs.verify(shorter)).rejects.toBeInstanceOf(DecodeError)
  })

  test('any bytes, and any index before a right footer, are a typed failure or a pack', async () => {
    const footer = (length: number) =>
      Uint8Array.of(0, 0, length >> 8, length & 255, 1, 0x54, 0x4d, 0x50, 0x4b)
    const withFooter = fc
      .tuple(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(0, 41, 82, 123, 40))
      .map(([body, length]) => Buffer.concat([body, footer(length)]))
    await fc.assert(
      fc.asyncProperty(fc.oneof(withFooter, fc.uint8Array({ maxLength: 60 })), async (bytes) => {
        const error = await packs.verify(bytes).catch((thrown: unknown) => thrown)
        if (!Array.isArray(error)) {
          expect([DecodeError, LimitError, ChunkMismatchError].some((type) => error instanceof type)).toBe(
            true,
          )
        }
      }),
      { numRuns: 500 },
    )
  })

  test('a chunk that is not what its id says is named', async () => {
    const liar = { id: idOf(Uint8Array.of(1)), bytes: Uint8Array.of(2) }
    const { bytes } = await packs.build([chunkOf(Uint8Array.of(7)), liar])
    await expect(packs.verify(bytes)).rejects.toMatchObject({ code: 'CHUNK_MISMATCH', expected: liar.id })
  })

  test('too many bytes or chunks are a LimitError before anything is read or made', async () => {
    await expect(packs.verify(new Uint8Array(BLOB_BYTES_MAX + 1))).rejects.toMatchObject({
      limit: 'BLOB_BYTES_MAX',
    })
    const big = chunkOf(new Uint8Array(9 * 2 ** 20))
    await expect(packs.build([big, big])).rejects.toMatchObject({ limit: 'BLOB_BYTES_MAX' })
    const many = Array.from({ length: PACK_CHUNKS_MAX + 1 }, () => chunkOf(new Uint8Array()))
    await expect(packs.build(many)).rejects.toMatchObject({ limit: 'PACK_CHUNKS_MAX' })
    await expect(packs.build([])).rejects.toBeInstanceOf(DecodeError)
  })
})
