import { deflateRawSync } from 'node:zlib'
import { type BlobId, type ChunkId, ChunkMismatchError, PACK_BYTES_TARGET } from '@tidemark/protocol'
import { describe, expect, test } from 'vitest'
import { seededBytes } from '../../test/bytes.js'
import { type FileInPieces, fileInPieces } from '../../test/file-pieces.js'
import { hex, MemorySink, SPACE, type World, world } from '../../test/transfer-fixture.js'
import type { ChunkToPack } from '../chunking/pack-format.js'
import { nodeCompressor } from '../node/node-compressor.js'
import { nodeHasher } from '../node/node-hasher.js'
import { Downloader } from './downloader.js'

const MIB = 2 ** 20

/** Half of it text, half of it noise, in blocks larger than chunks: some of them get smaller. */
function mixedBytes(length: number): Uint8Array {
  const bytes = seededBytes(9, length)
  for (let at = 0; at < length; at++) {
    if ((at >> 18) % 2 === 0) bytes[at] = 97 + ((at ^ (at >> 9)) % 23)
  }
  return bytes
}

async function compressed({ id, bytes }: FileInPieces['pieces'][number]): Promise<ChunkToPack> {
  const deflated = await nodeCompressor.deflate(bytes)
  return deflated ? { id, bytes: deflated, codec: 1, length: bytes.length } : { id, bytes }
}

/** As another device brought it: in packs, compressed where that is smaller. */
async function stored(
  it: World,
  bytes: Uint8Array,
): Promise<FileInPieces & { readonly storedBytes: number }> {
  const file = await fileInPieces(bytes)
  const chunks = await Promise.all(file.pieces.map(compressed))
  let [pack, sum, storedBytes]: [ChunkToPack[], number, number] = [[], 0, 0]
  for (const chunk of chunks) {
    pack.push(chunk)
    sum += chunk.length ?? chunk.bytes.length
    storedBytes += chunk.bytes.length
    if (sum < PACK_BYTES_TARGET) continue
    await it.hub.addPack(pack)
    ;[pack, sum] = [[], 0]
  }
  if (pack.length > 0) await it.hub.addPack(pack)
  return { ...file, storedBytes }
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

/** A pack whose bytes of the chunk are these, as a store has it that the hub did not look into. */
async function plant(it: World, id: ChunkId, bytes: Uint8Array, length: number): Promise<BlobId> {
  const blob = hex(nodeHasher.sha256(bytes)) as BlobId
  await it.hub.store.put(SPACE, blob, bytes)
  const place = { blob, offset: 0, storedLength: bytes.length, codec: 1, length }
  it.hub.places.set(id, [place, ...(it.hub.places.get(id) ?? [])])
  return blob
}

describe('compressed chunks', () => {
  test.each([20_000, 700_000, 20 * MIB])(
    'of a file of %d bytes are read, stored bytes only',
    async (size) => {
      const it = world()
      const bytes = mixedBytes(size)
      const file = await stored(it, bytes)
      const sink = new MemorySink(size)
      const progress: number[] = []
      await new Downloader(it).fetch(file, sink, { onProgress: (durable) => progress.push(durable) })
      expect(same(sink.bytes, bytes)).toBe(true)
      expect(progress.at(-1)).toBe(size)
      expect(file.storedBytes).toBeLessThan(0.7 * size)
      expect(it.hub.bytesRead).toBe(file.storedBytes)
    },
  )

  test('that are neighbours are written in long pieces', async () => {
    const it = world()
    const file = await stored(it, mixedBytes(20 * MIB))
    const sink = new MemorySink(file.size)
    await new Downloader(it).fetch(file, sink)
    expect(sink.writes).toBeLessThanOrEqual(24)
  })

  test('are streamed from the middle, fetched early, and fetched as small files', async () => {
    const it = world()
    const bytes = mixedBytes(3 * MIB)
    const file = await stored(it, bytes)
    const downloader = new Downloader(it)
    const parts: Uint8Array[] = []
    for await (const part of downloader.stream(file, { start: 100_000, end: 2_000_000 })) parts.push(part)
    expect(same(Buffer.concat(parts), bytes.subarray(100_000, 2_000_000))).toBe(true)

    let offset = 0
    const placed = file.pieces.slice(0, 20).map(({ id, bytes: { length } }) => {
      offset += length
      return { id, offset: offset - length, length }
    })
    const sink = new MemorySink(offset)
    const came = await downloader.fetchChunks(placed, sink, { signal: new AbortController().signal })
    expect(came).toEqual(placed)
    expect(same(sink.bytes, bytes.subarray(0, offset))).toBe(true)

    const text = mixedBytes(9_000)
    const { root } = await stored(it, text)
    const small = await downloader.fetchSmall([root])
    expect(small.get(root)).toEqual(text)
    expect(small.get(root)!.buffer.byteLength, 'it keeps nothing else in memory').toBe(text.length)
  })

  test('that the sink holds from an earlier attempt are not fetched again', async () => {
    const it = world()
    const bytes = mixedBytes(3 * MIB)
    const file = await stored(it, bytes)
    const sink = new MemorySink(file.size)
    await sink.write(0, bytes.subarray(0, 2 * MIB))
    await new Downloader(it).fetch(file, sink)
    expect(same(sink.bytes, bytes)).toBe(true)
    expect(it.hub.bytesRead).toBeLessThan(0.45 * file.storedBytes)
  })
})

describe('a lie', () => {
  const liars: readonly (readonly [string, (bytes: Uint8Array) => Uint8Array])[] = [
    ['a stream of other bytes', (bytes) => deflateRawSync(new Uint8Array(bytes.length))],
    ['a bomb', () => deflateRawSync(new Uint8Array(4 * MIB), { level: 9 })],
    ['a stream that is cut', (bytes) => deflateRawSync(bytes).subarray(0, -3)],
    [
      'a stream and something behind it',
      (bytes) => Buffer.concat([deflateRawSync(bytes), new Uint8Array(3)]),
    ],
    ['noise', () => seededBytes(3, 5_000)],
  ]

  test.each(liars)('%s: the hub is told of the blob, and another place is used', async (_, lie) => {
    const it = world()
    const bytes = mixedBytes(60_000)
    const file = await stored(it, bytes)
    const { id, bytes: first } = file.pieces[0]!
    const blob = await plant(it, id, lie(first), first.length)
    it.hub.before = (call) => {
      // The first one is for the manifest; the third one names the liar.
      if (call === 'locate' && it.hub.count('locate') === 3) it.hub.places.get(id)!.shift()
    }
    const sink = new MemorySink(file.size)
    await new Downloader(it).fetch(file, sink)
    expect(same(sink.bytes, bytes)).toBe(true)
    expect(it.hub.distrusted).toEqual([blob])
  })

  test.each(liars)(
    '%s, and there is no other place: ChunkMismatchError, in little memory',
    async (_, lie) => {
      const it = world()
      const bytes = mixedBytes(10_000)
      const { root, size, height, pieces } = await fileInPieces(bytes)
      await plant(it, root, lie(pieces[0]!.bytes), size)
      const sink = new MemorySink(size)
      const before = process.memoryUsage().arrayBuffers
      await expect(new Downloader(it).fetch({ root, size, height }, sink)).rejects.toBeInstanceOf(
        ChunkMismatchError,
      )
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * MIB)
      expect(sink.writes).toBe(0)
    },
  )
})
