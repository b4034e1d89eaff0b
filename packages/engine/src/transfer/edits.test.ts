import { createCipheriv } from 'node:crypto'
import type { ChunkId } from '@tidemark/protocol'
import { describe, expect, test } from 'vitest'
import { MemorySource } from '../../test/bytes.js'
import { MemorySink, type World, world } from '../../test/transfer-fixture.js'
import type { ChunkedFile, HeldFile } from '../binding.js'
import { chunkBounds, chunkClass } from '../chunking/chunk-class.js'
import { Downloader } from './downloader.js'
import { Uploader } from './uploader.js'

const MIB = 2 ** 20
const SIZE = 8 * MIB
const SEEDS = 20
const EDIT_BYTES = 4_096
/** What an edit should change at most. Cuts find back to where they were by chance, chunk by chunk: */
const CHUNKS_USUAL = 6
/** about one overwrite in 40 needs more, see bench/README.md. */
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

const heldFile = (version: ChunkedFile, bytes: Uint8Array): HeldFile & { readonly source: MemorySource } => {
  const source = new MemorySource(bytes)
  return { version, source, open: async () => source }
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
      it.hub.bytesRead = 0
      const asked = new Set<ChunkId>()
      const { locate } = it.hub
      it.hub.locate = async (ids) => {
        for (const id of ids) asked.add(id)
        return locate.call(it.hub, ids)
      }
      const sink = new MemorySink(file.size)
      await new Downloader(it).fetch(file, sink, { held: [heldFile(old, before)] })
      expect(Buffer.from(sink.bytes.buffer).equals(after)).toBe(true)
      // Of both versions: the folder keeps no manifests.
      const nodes = new Set([...old.manifest, ...file.manifest].map(({ id }) => id))
      const nodeBytes = [...old.manifest, ...file.manifest].reduce((sum, { bytes }) => sum + bytes.length, 0)
      expect([...asked].filter((id) => !nodes.has(id)).length).toBe(up.chunks)
      // Small things that stand near each other come in one range with what lies between them.
      expect(it.hub.bytesRead).toBeLessThanOrEqual(up.chunkBytes + nodeBytes + 256 * 1024)
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

describe('a file that is held', () => {
  test('gives all of a copy of it, is opened once and closed', async () => {
    const it = world()
    const { bytes } = fileOf(0)
    const file = await new Uploader(it).store(new MemorySource(bytes))
    const held = heldFile(file, bytes)
    const sink = new MemorySink(file.size)
    it.hub.bytesRead = 0
    await new Downloader(it).fetch(file, sink, { held: [held] })
    expect(Buffer.from(sink.bytes.buffer).equals(bytes)).toBe(true)
    expect(it.hub.bytesRead).toBeLessThan(MIB)
    expect(held.source.closed).toBe(true)
  })

  test('is not believed where it is no longer what it was', async () => {
    const it = world()
    const { bytes } = fileOf(0)
    const file = await new Uploader(it).store(new MemorySource(bytes))
    const edited = Buffer.from(bytes)
    edited[MIB]! ^= 1
    const sink = new MemorySink(file.size)
    it.hub.bytesRead = 0
    await new Downloader(it).fetch(file, sink, { held: [heldFile(file, edited)] })
    expect(Buffer.from(sink.bytes.buffer).equals(bytes)).toBe(true)
    expect(it.hub.bytesRead).toBeLessThan(MIB)
  })

  test('only helps: one that cannot be opened, and one whose manifest nobody has, cost nothing but time', async () => {
    const it = world()
    const { bytes } = fileOf(0)
    const file = await new Uploader(it).store(new MemorySource(bytes))
    const gone: HeldFile = { version: file, open: () => Promise.reject(new Error('gone')) }
    const version = { root: '00'.repeat(32) as ChunkId, height: 1, size: 1_000_000 }
    const forgotten: HeldFile = { version, open: async () => new MemorySource(new Uint8Array(1_000_000)) }
    const sink = new MemorySink(file.size)
    await new Downloader(it).fetch(file, sink, { held: [forgotten, gone] })
    expect(Buffer.from(sink.bytes.buffer).equals(bytes)).toBe(true)
  })
})
