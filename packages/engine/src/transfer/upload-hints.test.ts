import type { ChunkId, UploadId } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { MemorySource, seededBytes } from '../../test/bytes.js'
import { MemorySink, world } from '../../test/transfer-fixture.js'
import type { ChunkedFile } from '../binding.js'
import { chunkIdAt } from '../chunking/chunk-list.js'
import type { PlacedChunk } from '../ports/byte-source.js'
import { Downloader } from './downloader.js'
import type { UploadHint } from './upload-hints.js'
import { Uploader } from './uploader.js'

const MIB = 2 ** 20
const UPLOAD = '0123456789abcdef' as UploadId

async function hintsOf(bytes: Uint8Array) {
  const it = world()
  const told: UploadHint[] = []
  const hints = { newUploadId: () => UPLOAD, tell: (hint: UploadHint) => void told.push(hint) }
  const file = await new Uploader({ ...it, hints }).store(new MemorySource(bytes))
  return { it, told, file }
}

const placed = (told: readonly UploadHint[]): PlacedChunk[] =>
  told.flatMap(({ offset, chunks }) => {
    let at = offset
    return chunks.map(({ id, length }) => {
      at += length
      return { id, offset: at - length, length }
    })
  })

function chunksOf({ chunks }: ChunkedFile): PlacedChunk[] {
  let at = 0
  return Array.from(chunks.lengths, (length, i) => {
    at += length
    return { id: chunkIdAt(chunks, i), offset: at - length, length }
  })
}

test('[TR6] hints tell every chunk of a large file, where it is, and at last the root', async () => {
  const { told, file } = await hintsOf(seededBytes(21, 21 * MIB + 5))
  expect(placed(told).sort((a, b) => a.offset - b.offset)).toEqual(chunksOf(file))
  expect(told.every(({ upload, size }) => upload === UPLOAD && size === file.size)).toBe(true)
  expect(told.filter(({ root }) => root)).toEqual([told.at(-1)])
  expect(told.at(-1)!.root).toBe(file.root)
})

test('[TR6] of an edited file only what is new is hinted, and of a copy nothing', async () => {
  const bytes = seededBytes(25, 17 * MIB)
  const { it } = await hintsOf(bytes)
  const hintsAgain = async (again: Uint8Array): Promise<UploadHint[]> => {
    const told: UploadHint[] = []
    const hints = { newUploadId: () => UPLOAD, tell: (hint: UploadHint) => void told.push(hint) }
    await new Uploader({ ...it, hints }).store(new MemorySource(again))
    return told
  }
  const fresh = seededBytes(26, 6 * MIB)
  const edited = new Uint8Array([...bytes.subarray(0, 9 * MIB), ...fresh, ...bytes.subarray(9 * MIB)])
  const told = placed(await hintsAgain(edited))
  const sum = told.reduce((total, { length }) => total + length, 0)
  expect(sum).toBeGreaterThan(5 * MIB)
  expect(sum).toBeLessThan(7 * MIB)
  for (const { offset } of told) expect(offset).toBeGreaterThan(8 * MIB)
  expect(placed(await hintsAgain(bytes))).toEqual([])
})

test('[TR6] what is hinted can be fetched', async () => {
  // Two whole windows, and one of which more than half is there: less is put aside, and not hinted.
  const bytes = seededBytes(22, 21 * MIB)
  const { it, told } = await hintsOf(bytes)
  const sink = new MemorySink(bytes.length)
  const { signal } = new AbortController()
  const nowhere = { id: 'f'.repeat(64) as ChunkId, offset: 0, length: 5 }
  const asked = placed(told)
  expect(await new Downloader(it).fetchChunks([nowhere, ...asked], sink, { signal })).toEqual(asked)
  expect(Buffer.from(sink.bytes).equals(Buffer.from(bytes))).toBe(true)
})

test('[TR6] wrong bytes of a hinted chunk are neither written nor counted', async () => {
  const bytes = seededBytes(23, 9 * MIB)
  const { it, told } = await hintsOf(bytes)
  it.hub.damage = (range) => range.fill(0)
  const sink = new MemorySink(bytes.length)
  const { signal } = new AbortController()
  expect(await new Downloader(it).fetchChunks(placed(told), sink, { signal })).toEqual([])
  expect(sink.writes).toBe(0)
})

test('of smaller files there are no hints: they are there as soon', async () => {
  expect((await hintsOf(seededBytes(24, 8 * MIB - 1))).told).toEqual([])
})
