import type { ChunkId } from '@tidemark/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { seededBytes } from '../../test/bytes.js'
import { hex } from '../../test/transfer-fixture.js'
import { PackFormat, packLength } from '../chunking/pack-format.js'
import { nodeCompressor } from '../node/node-compressor.js'
import { nodeHasher } from '../node/node-hasher.js'
import { BodyCompressor, type Compression, mustCompression } from './body-compressor.js'
import { Pace } from './pace.js'

const MIB = 2 ** 20
const SIGNAL = new AbortController().signal
const packs = new PackFormat(nodeHasher, nodeCompressor)

const textOf = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => 97 + ((i ^ (i >> 8)) % 21))

interface Chunk {
  readonly id: ChunkId
  readonly bytes: Uint8Array
  readonly length: number
}

const chunkOf = (bytes: Uint8Array): Chunk => ({
  id: hex(nodeHasher.sha256(bytes)) as ChunkId,
  bytes,
  length: bytes.length,
})

function bodyOf(chunks: readonly Chunk[]): Uint8Array {
  const body = new Uint8Array(
    packLength(
      chunks.length,
      chunks.reduce((sum, { length }) => sum + length, 0),
    ),
  )
  let at = 0
  for (const { bytes } of chunks) {
    body.set(bytes, at)
    at += bytes.length
  }
  return body
}

/** With a clock that the test moves: `msPerMiB` is what compressing takes. */
function setUp(mode?: Compression) {
  const it = { nowMs: 0, msPerMiB: 10, /** Lengths. */ deflated: [] as number[] }
  const pace = new Pace({ monotonicMs: () => it.nowMs, after: () => () => undefined })
  const bodies = new BodyCompressor({
    pace,
    mode,
    compressor: {
      ...nodeCompressor,
      deflate: async (bytes) => {
        it.deflated.push(bytes.length)
        it.nowMs += (it.msPerMiB * bytes.length) / MIB
        return nodeCompressor.deflate(bytes)
      },
    },
  })
  return Object.assign(it, {
    pace,
    bodies,
    compress: async (chunks: readonly Chunk[]) => bodies.compress(bodyOf(chunks), chunks, SIGNAL),
    send: (bytes: number, ms: number) =>
      bodies.sending(bytes, async () => {
        it.nowMs += ms
      }),
  })
}

const codecs = (chunks: readonly { readonly codec: number }[]): number[] => chunks.map(({ codec }) => codec)

describe('a body', () => {
  test('of any mixture of chunks becomes a pack that reads back, in the memory that it had', async () => {
    const part = fc.oneof(
      fc.tuple(fc.constant('noise'), fc.nat(3_000)),
      fc.tuple(fc.constant('text'), fc.nat(30_000)),
      fc.tuple(fc.constant('text'), fc.integer({ min: 60_000, max: 90_000 })),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(part, { minLength: 1, maxLength: 10 }),
        fc.constantFrom<Compression>('auto', 'off', 'always'),
        async (parts, mode) => {
          const chunks = parts.map(([kind, length], i) =>
            chunkOf(kind === 'text' ? textOf(length) : seededBytes(i + 1, length)),
          )
          const body = bodyOf(chunks)
          const { pack, chunks: forms } = await setUp(mode).bodies.compress(body, chunks, SIGNAL)
          expect([pack.buffer, pack.byteOffset]).toEqual([body.buffer, 0])
          const built = await packs.finish(pack, forms)
          expect(await packs.verify(built.bytes)).toEqual(built.chunks)
          expect(built.chunks.map(({ id }) => id)).toEqual(chunks.map(({ id }) => id))
          for (const { codec, storedLength, length } of forms) {
            expect(codec === 0 ? storedLength : (8 / 7) * storedLength).toBeLessThanOrEqual(length)
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  test('of noise costs one sample of 64 KiB', async () => {
    const it = setUp()
    const chunks = Array.from({ length: 8 }, (_, i) => chunkOf(seededBytes(i + 1, MIB)))
    expect(codecs((await it.compress(chunks)).chunks)).toEqual(new Array(8).fill(0))
    expect(it.deflated).toEqual([65_536])
  })

  test('that is small is its own sample', async () => {
    const it = setUp()
    await it.compress([chunkOf(textOf(20_000)), chunkOf(textOf(9_000))])
    expect(it.deflated).toEqual([20_000, 9_000])
  })

  test('of text with noise in it is compressed where that saves an eighth', async () => {
    const it = setUp()
    const nearly = textOf(80_000)
    nearly.set(seededBytes(2, 76_000))
    const chunks = [textOf(300_000), seededBytes(1, 100_000), nearly, textOf(5_000)].map(chunkOf)
    expect(codecs((await it.compress(chunks)).chunks)).toEqual([1, 0, 0, 1])
  })
})

describe('whether it pays', () => {
  const chunks = [chunkOf(textOf(4 * MIB))]
  const isCompressed = async (it: ReturnType<typeof setUp>): Promise<boolean> =>
    codecs((await it.compress(chunks)).chunks)[0] === 1

  test('while nobody knows the link it does', async () => {
    const it = setUp()
    expect(await isCompressed(it)).toBe(true)
    await it.send(MIB, 1)
    expect(await isCompressed(it), 'one small body says little').toBe(true)
  })

  test('a link that is faster than the compressor gets plain bytes, a slower one compressed ones, as it changes', async () => {
    const it = setUp()
    for (let i = 0; i < 4; i++) await it.compress(chunks)
    for (let i = 0; i < 10; i++) await it.send(8 * MIB, 20)
    expect(await isCompressed(it)).toBe(false)
    for (let i = 0; i < 10; i++) await it.send(2 * MIB, 1_000)
    expect(await isCompressed(it)).toBe(true)
    for (let i = 0; i < 300; i++) await it.send(8 * MIB, 20)
    expect(await isCompressed(it)).toBe(false)
  })

  test('a compressor that gets faster is noticed by its samples', async () => {
    const it = setUp()
    it.msPerMiB = 100
    for (let i = 0; i < 2; i++) await it.compress(chunks)
    for (let i = 0; i < 10; i++) await it.send(8 * MIB, 320)
    expect(await isCompressed(it)).toBe(false)
    it.msPerMiB = 10
    let bodies = 0
    while (!(await isCompressed(it)) && bodies < 500) {
      await it.send(8 * MIB, 320)
      bodies += 1
    }
    expect(bodies).toBeLessThan(100)
  })

  test('under a limit it does, however fast the link is', async () => {
    const it = setUp()
    for (let i = 0; i < 4; i++) await it.compress(chunks)
    for (let i = 0; i < 10; i++) await it.send(8 * MIB, 1)
    for (let i = 0; i < 10; i++) await it.send(8 * MIB, 10)
    expect(await isCompressed(it)).toBe(false)
    it.pace.limit({ uploadBytesPerSecond: 10 ** 9 })
    expect(await isCompressed(it)).toBe(true)
    it.pace.limit({})
    expect(await isCompressed(it)).toBe(false)
  })

  test('off: nothing is even looked at; always: whatever the link, and without a sample', async () => {
    const off = setUp('off')
    expect(await isCompressed(off)).toBe(false)
    expect(off.deflated).toEqual([])
    const always = setUp('always')
    for (let i = 0; i < 10; i++) await always.send(8 * MIB, 10)
    expect(await isCompressed(always)).toBe(true)
    expect(always.deflated).toEqual([4 * MIB])
  })
})

test('a mode that there is not is a RangeError', () => {
  for (const mode of ['auto', 'off', 'always']) mustCompression(mode)
  expect(() => mustCompression('none')).toThrow(RangeError)
})

test('no more is compressed at once than has room beside the bodies', async () => {
  const pace = new Pace({ monotonicMs: () => 0, after: () => () => undefined })
  let [now, most] = [0, 0]
  const bodies = new BodyCompressor({
    pace,
    mode: 'always',
    compressor: {
      ...nodeCompressor,
      deflate: async ({ length }) => {
        now += length
        most = Math.max(most, now)
        await new Promise((resolve) => setImmediate(resolve))
        now -= length
        return undefined
      },
    },
  })
  const chunks = Array.from({ length: 6 }, (_, i) => ({ ...chunkOf(new Uint8Array(i)), length: 3 * MIB }))
  const body = new Uint8Array(packLength(6, 18 * MIB))
  await Promise.all(Array.from({ length: 6 }, () => bodies.compress(body, chunks, SIGNAL)))
  expect(most).toBe(6 * MIB)
})
