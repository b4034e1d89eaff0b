import { bytesToHex, SourceChangedError } from '@tidemark/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MemorySource, seededBytes } from '../../test/bytes.js'
import type { ChunkedFile } from '../binding.js'
import { nodeHasher as hasher } from '../node/node-hasher.js'
import type { ByteSource } from '../ports/byte-source.js'
import { chunkBounds, chunkClass } from './chunk-class.js'
import { chunkIdAt } from './chunk-list.js'
import { chunkBytes, chunkSource } from './chunk-source.js'
import { Cutter } from './cutter.js'
import { readManifest } from './read-manifest.js'

const chunked = (bytes: Uint8Array, readBytes?: number): Promise<ChunkedFile> =>
  chunkSource(new MemorySource(bytes), readBytes === undefined ? { hasher } : { hasher, readBytes })

/** Files with runs, repeats and noise. */
const fileArb = fc
  .array(
    fc.oneof(
      fc.record({ seed: fc.integer({ min: 1, max: 50 }), length: fc.integer({ min: 1, max: 90_000 }) }),
      fc.record({ seed: fc.constant(0), length: fc.integer({ min: 1, max: 90_000 }) }),
    ),
    { maxLength: 5 },
  )
  .map((parts) => Buffer.concat(parts.map(({ seed, length }) => seededBytes(seed, length))))

const chunkIds = ({ chunks }: ChunkedFile): string[] =>
  Array.from({ length: chunks.count }, (_, i) => chunkIdAt(chunks, i))

describe('chunking', () => {
  test('[CT22] the chunks are the file, in order, each under the id of its bytes and within the bounds', async () => {
    await fc.assert(
      fc.asyncProperty(fileArb, async (bytes) => {
        const { chunks, size } = await chunked(bytes)
        expect(size).toBe(bytes.length)
        const { min, max } = chunkBounds(chunkClass(size))
        let at = 0
        for (let i = 0; i < chunks.count; i++) {
          const length = chunks.lengths[i]!
          if (i + 1 < chunks.count) expect(length).toBeGreaterThanOrEqual(min)
          expect(length).toBeLessThanOrEqual(max)
          expect(bytesToHex(hasher.sha256(bytes.subarray(at, at + length)))).toBe(chunkIdAt(chunks, i))
          at += length
        }
        expect(at).toBe(bytes.length)
      }),
      { numRuns: 60 },
    )
  })

  test('how the source is read changes nothing, and the manifest gives the chunks back', async () => {
    await fc.assert(
      fc.asyncProperty(fileArb, fc.integer({ min: 1_000, max: 100_000 }), async (bytes, readBytes) => {
        const file = await chunked(bytes)
        expect(await chunked(bytes, readBytes)).toEqual(file)
        const nodes = new Map(file.manifest.map(({ id, bytes }) => [id, bytes]))
        const entries = []
        const fetchNodes = async (ids: readonly string[]) => ids.map((id) => nodes.get(id as never)!)
        for await (const entry of readManifest(file.root, file.height, file.size, { hasher, fetchNodes })) {
          entries.push(entry)
        }
        expect(entries.map(({ id }) => id)).toEqual(chunkIds(file))
        expect(entries.map(({ length }) => length)).toEqual([...file.chunks.lengths])
      }),
      { numRuns: 60 },
    )
  })

  test('a cut depends on 32 bytes and the length so far: whatever stands before the chunk', () => {
    const bytes = seededBytes(9, 400_000)
    const ends: number[] = []
    const cutter = new Cutter(14)
    for (let at = cutter.next(bytes, 0); at >= 0; at = cutter.next(bytes, at)) ends.push(at)
    for (const [i, start] of ends.entries()) {
      const next = new Cutter(14).next(bytes.subarray(start), 0)
      expect(next < 0 ? undefined : start + next).toBe(ends[i + 1])
    }
  })

  test('[CT22] a byte inserted anywhere changes two chunks at most, but for rare luck, and the file id', async () => {
    const bytes = seededBytes(11, 3_000_000)
    const before = await chunked(bytes)
    const known = new Set(chunkIds(before))
    const changed: number[] = []
    for (let k = 0; k < 30; k++) {
      const at = (k * 99_991) % bytes.length
      const edited = Buffer.concat([bytes.subarray(0, at), Uint8Array.of(k), bytes.subarray(at)])
      const after = await chunked(edited)
      expect(after.root).not.toBe(before.root)
      changed.push(chunkIds(after).filter((id) => !known.has(id)).length)
    }
    changed.sort((a, b) => a - b)
    expect(changed[Math.floor(changed.length / 2)]).toBeLessThanOrEqual(2)
    expect(changed.at(-1)).toBeLessThanOrEqual(8)
  })

  test('[CT22] an edit changes one path of a manifest, not its other nodes', async () => {
    const bytes = seededBytes(12, 20 * 2 ** 20)
    const before = await chunked(bytes)
    expect(before.height).toBe(2)
    const known = new Set(before.manifest.map(({ id }) => id))
    bytes[10_000_000]! ^= 1
    const after = await chunked(bytes)
    const fresh = after.manifest.filter(({ id }) => !known.has(id))
    expect(before.manifest.length).toBeGreaterThan(4)
    expect(fresh.length).toBeLessThanOrEqual(3)
  })

  test('the empty file is one chunk of no bytes', async () => {
    const file = await chunked(new Uint8Array())
    expect(file).toMatchObject({ height: 0, size: 0, chunks: { count: 1 }, manifest: [] })
    expect(file.root).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
    expect(file).toEqual(chunkBytes(new Uint8Array(), hasher))
  })

  test('a file that holds the bytes of a manifest node has another root than the file of that manifest', async () => {
    const { root, manifest } = await chunked(seededBytes(3, 100_000))
    const file = await chunked(manifest.at(-1)!.bytes)
    expect(file.root).not.toBe(root)
    expect(file).toMatchObject({ height: 1, chunks: { count: 1 } })
    expect(chunkIdAt(file.chunks, 0)).toBe(root)
  })

  test('that holds too for a single chunk of more than 16 KiB', async () => {
    const files = await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const bytes = seededBytes(i + 1, 16_385)
        bytes.set([0x89, 0x54, 0x4d, 0x4e])
        return chunked(bytes)
      }),
    )
    const single = files.filter(({ chunks }) => chunks.count === 1)
    expect(single.length).toBeGreaterThan(0)
    for (const { height } of single) expect(height).toBe(1)
  })

  test('an aborted signal ends it, before and while it reads', async () => {
    const source = new MemorySource(seededBytes(1, 200_000))
    await expect(
      chunkSource(source, { hasher, signal: AbortSignal.abort(new Error('enough')) }),
    ).rejects.toThrow('enough')
    expect(source.reads).toBe(0)
    const abort = new AbortController()
    const read = source.read.bind(source)
    source.read = (offset, length) => {
      if (offset > 0) abort.abort(new Error('enough'))
      return read(offset, length)
    }
    const running = chunkSource(source, { hasher, signal: abort.signal, readBytes: 50_000 })
    await expect(running).rejects.toThrow('enough')
    expect(source.reads).toBeLessThan(4)
  })

  test('a source that changed, or a hash that fails, is what the call throws', async () => {
    const bytes = seededBytes(1, 200_000)
    const changing: ByteSource = {
      size: bytes.length,
      read: async (offset, length) => {
        if (offset > 0) throw new SourceChangedError('changed')
        return bytes.subarray(offset, offset + length)
      },
      close: async () => undefined,
    }
    await expect(chunkSource(changing, { hasher, readBytes: 50_000 })).rejects.toBeInstanceOf(
      SourceChangedError,
    )
    const failing = { ...hasher, sha256Async: () => Promise.reject(new Error('no hash')) }
    const large = new MemorySource(new Uint8Array(200_000))
    await expect(chunkSource(large, { hasher: failing })).rejects.toThrow('no hash')
  })

  test('at most eight chunks are being hashed at once', async () => {
    let running = 0
    let most = 0
    const slow = {
      ...hasher,
      sha256Async: async (bytes: Uint8Array) => {
        most = Math.max(most, ++running)
        await new Promise((resolve) => setImmediate(resolve))
        running--
        return hasher.sha256(bytes)
      },
    }
    const zeros = new Uint8Array(5_000_000)
    expect(await chunkSource(new MemorySource(zeros), { hasher: slow })).toEqual(await chunked(zeros))
    expect(most).toBe(8)
  })
})
