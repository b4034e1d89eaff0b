import { createCipheriv } from 'node:crypto'
import type { ChunkId } from '@tidemark/protocol'
import { describe, expect, test } from 'vitest'
import { MemorySource } from '../../test/bytes.js'
import { MemorySink, type World, world } from '../../test/transfer-fixture.js'
import type { ChunkedFile } from '../binding.js'
import { chunkBounds, chunkClass } from '../chunking/chunk-class.js'
import { chunkIdAt } from '../chunking/chunk-list.js'
import { Downloader } from './downloader.js'
import { Uploader } from './uploader.js'

const MIB = 2 ** 20
const SIZE = 8 * MIB
const SEEDS = 20
const EDIT_BYTES = 4_096
/** What an edit should change at most. Cuts find back to where they were by chance, chunk by chunk: */
const CHUNKS_USUAL = 6
/** about one overwrite in 50 needs more, see bench/README.md. */
const CHUNKS_MAX = 16
const AVERAGE = chunkBounds(chunkClass(SIZE)).average

/** Bytes without a pattern, and where they are edited. */
function fileOf(seed: number): { readonly bytes: Buffer; readonly at: number; readonly fresh: Buffer } {
  const key = Buffer.alloc(16, seed + 1)
  const stream = createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(
    Buffer.alloc(SIZE + EDIT_BYTES + 4),
  )
  const fresh = stream.subarray(SIZE, SIZE + EDIT_BYTES)
  return {
    bytes: stream.subarray(0, SIZE),
    at: stream.readUInt32LE(SIZE + EDIT_BYTES) % (SIZE - EDIT_BYTES),
    fresh,
  }
}

const EDITS: Readonly<Record<string, (seed: number) => { readonly before: Buffer; readonly after: Buffer }>> =
  {
    'one byte inserted at the front': (seed) => {
      const { bytes, fresh } = fileOf(seed)
      return { before: bytes, after: Buffer.concat([fresh.subarray(0, 1), bytes]) }
    },
    '4 KiB overwritten in place': (seed) => {
      const { bytes, at, fresh } = fileOf(seed)
      const after = Buffer.from(bytes)
      fresh.copy(after, at)
      return { before: bytes, after }
    },
  }

interface Moved {
  chunks: number
  chunkBytes: number
  nodes: number
}

/** What the hub has got since `before` was taken, told apart by the file's own lists. */
function arrived({ hub }: World, before: ReadonlySet<ChunkId>, file: ChunkedFile): Moved {
  const nodes = new Set(file.manifest.map(({ id }) => id))
  const moved = { chunks: 0, chunkBytes: 0, nodes: 0 }
  for (const [id, places] of hub.places) {
    if (before.has(id)) continue
    if (nodes.has(id)) moved.nodes++
    else {
      moved.chunks++
      moved.chunkBytes += places[0]!.length
    }
  }
  return moved
}

/** Chunks of the old version that a reader has at hand. */
function holding(file: ChunkedFile, bytes: Uint8Array): Map<ChunkId, Uint8Array> {
  const held = new Map<ChunkId, Uint8Array>()
  let at = 0
  for (let i = 0; i < file.chunks.count; i++) {
    held.set(chunkIdAt(file.chunks, i), bytes.subarray(at, at + file.chunks.lengths[i]!))
    at += file.chunks.lengths[i]!
  }
  for (const { id, bytes: node } of file.manifest) held.set(id, node)
  return held
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!

describe.each(Object.keys(EDITS))('%s', (name) => {
  test(`[CT22] sends and fetches few chunks, whatever the file (${SEEDS} files)`, async () => {
    const ups: Moved[] = []
    for (let seed = 0; seed < SEEDS; seed++) {
      const { before, after } = EDITS[name]!(seed)
      const it = world()
      const old = await new Uploader(it).store(new MemorySource(before))
      const had = new Set(it.hub.places.keys())
      const file = await new Uploader(it).store(new MemorySource(after))
      const up = arrived(it, had, file)
      ups.push(up)
      expect(up.chunks).toBeLessThanOrEqual(CHUNKS_MAX)
      if (up.chunks <= CHUNKS_USUAL) expect(up.chunkBytes).toBeLessThanOrEqual(8 * AVERAGE)
      // A path of the manifest, and a neighbour where a node's end moved.
      expect(up.nodes).toBeLessThanOrEqual(2 * file.height)
      const held = holding(old, before)
      it.hub.bytesRead = 0
      const asked = new Set<ChunkId>()
      const { locate } = it.hub
      it.hub.locate = async (ids) => {
        for (const id of ids) asked.add(id)
        return locate.call(it.hub, ids)
      }
      const sink = new MemorySink(file.size)
      await new Downloader({ ...it, local: { get: async (id) => held.get(id) } }).fetch(file, sink)
      expect(Buffer.from(sink.bytes.buffer).equals(after)).toBe(true)
      expect(asked.size).toBe(up.chunks + up.nodes)
      const nodeBytes = file.manifest.reduce(
        (sum, { id, bytes }) => sum + (asked.has(id) ? bytes.length : 0),
        0,
      )
      // Small things that stand near each other come in one range with what lies between them.
      expect(it.hub.bytesRead).toBeLessThanOrEqual(up.chunkBytes + nodeBytes + 64 * 1024)
    }
    expect(ups.filter(({ chunks }) => chunks > CHUNKS_USUAL).length).toBeLessThanOrEqual(1)
    expect(median(ups.map(({ chunks }) => chunks))).toBeLessThanOrEqual(2)
  })
})

test('a copy of a file sends no byte of it', async () => {
  const it = world()
  const { bytes } = fileOf(0)
  await new Uploader(it).store(new MemorySource(bytes))
  it.hub.calls.length = 0
  await new Uploader(it).store(new MemorySource(Buffer.from(bytes)))
  expect(new Set(it.hub.calls)).toEqual(new Set(['need']))
})
