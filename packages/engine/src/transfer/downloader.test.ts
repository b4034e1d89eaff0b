import {
  type BlobId,
  type ChunkId,
  ChunkMismatchError,
  ChunksMissingError,
  DecodeError,
  DOWNLOAD_RANGE_BYTES_MAX,
  LimitError,
  StoreError,
  TransportError,
} from '@tidemark/protocol'
import { describe, expect, test } from 'vitest'
import { seededBytes } from '../../test/bytes.js'
import { MemorySink, SPACE, uploadOf, type World, world } from '../../test/transfer-fixture.js'
import type { ChunkedFile } from '../binding.js'
import { chunkIdAt } from '../chunking/chunk-list.js'
import { Downloader } from './downloader.js'
import { Uploader } from './uploader.js'

const MIB = 2 ** 20

async function stored(it: World, bytes: Uint8Array): Promise<ChunkedFile> {
  const upload = await uploadOf(bytes)
  await new Uploader(it).ensureStored([upload])
  it.hub.calls.length = 0
  return upload.file
}

const same = (a: Uint8Array, b: Uint8Array): boolean =>
  Buffer.from(a.buffer, a.byteOffset, a.length).equals(b)

describe('fetch', () => {
  test.each([0, 1, 16_384, 16_385, 300_000, 5 * MIB])('brings a file of %d bytes', async (size) => {
    const it = world()
    const bytes = seededBytes(1, size)
    const file = await stored(it, bytes)
    const sink = new MemorySink(size)
    const progress: number[] = []
    await new Downloader(it).fetch(file, sink, { onProgress: (durable) => progress.push(durable) })
    expect(same(sink.bytes, bytes)).toBe(true)
    expect(sink.written.every((flag) => flag === 1)).toBe(true)
    expect(progress).toEqual([...progress].sort((a, b) => a - b))
    expect(progress.at(-1) ?? 0).toBe(size)
  })

  test('a large file comes in few ranges, written in long pieces', async () => {
    const it = world()
    const file = await stored(it, seededBytes(2, 40 * MIB))
    const sink = new MemorySink(file.size)
    await new Downloader(it).fetch(file, sink)
    expect(it.hub.count('get')).toBeLessThanOrEqual(40)
    expect(it.hub.count('locate')).toBeLessThanOrEqual(6)
    expect(sink.writes).toBeLessThanOrEqual(40)
    expect(it.hub.bytesRead).toBeLessThan(41 * MIB)
  })

  test('chunks that stand in another order in the store are written where they belong', async () => {
    const it = world()
    const bytes = seededBytes(19, 500_000)
    const { file } = await uploadOf(bytes)
    let at = 0
    const chunks = Array.from(file.chunks.lengths, (length, i) => {
      at += length
      return { id: chunkIdAt(file.chunks, i), bytes: bytes.subarray(at - length, at) }
    })
    await it.hub.addPack([...chunks.toReversed(), ...file.manifest])
    const sink = new MemorySink(file.size)
    await new Downloader(it).fetch(file, sink)
    expect(same(sink.bytes, bytes)).toBe(true)
  })

  test('places whose answer is too long for a frame are asked for in parts', async () => {
    const it = world()
    const bytes = seededBytes(20, 2 * MIB)
    const file = await stored(it, bytes)
    const { locate } = it.hub
    it.hub.locate = async (ids, options) => {
      if (ids.length > 3) throw new LimitError('frame of 5000000 bytes', 'peer', Number.NaN)
      return locate.call(it.hub, ids, options)
    }
    const sink = new MemorySink(file.size)
    await new Downloader(it).fetch(file, sink)
    expect(same(sink.bytes, bytes)).toBe(true)
  })

  test('a chunk that occurs many times is fetched once', async () => {
    const it = world()
    const file = await stored(it, new Uint8Array(8 * MIB))
    const sink = new MemorySink(file.size)
    await new Downloader(it).fetch(file, sink)
    expect(sink.written.every((flag) => flag === 1)).toBe(true)
    expect(it.hub.bytesRead).toBeLessThan(200_000)
  })

  test('[TR3] what an earlier attempt left is kept, and damaged bytes in it are fetched again', async () => {
    const it = world()
    const bytes = seededBytes(3, 6 * MIB)
    const file = await stored(it, bytes)
    const sink = new MemorySink(file.size)
    await sink.write(0, bytes.subarray(0, 4 * MIB))
    sink.bytes[MIB]! ^= 1
    const progress: number[] = []
    await new Downloader(it).fetch(file, sink, { onProgress: (durable) => progress.push(durable) })
    expect(same(sink.bytes, bytes)).toBe(true)
    expect(it.hub.bytesRead).toBeLessThan(2.3 * MIB)
    expect(progress.at(-1)).toBe(file.size)
  })

  test('the next version of a file asks only for manifest nodes that are new', async () => {
    const it = world()
    const bytes = seededBytes(4, 20 * MIB)
    const first = await stored(it, bytes)
    const downloader = new Downloader(it)
    await downloader.fetch(first, new MemorySink(first.size))
    bytes[5 * MIB]! ^= 1
    const second = await stored(it, bytes)
    const sink = new MemorySink(second.size)
    await sink.write(0, bytes)
    it.hub.bytesRead = 0
    await downloader.fetch(second, sink)
    expect(it.hub.bytesRead).toBeLessThan(60_000)
  })

  test('local chunks are used before the hub is asked; a damaged one is none', async () => {
    const it = world()
    const bytes = seededBytes(5, 5_000)
    const file = await stored(it, bytes)
    for (const [local, calls] of [
      [bytes, []],
      [seededBytes(6, 5_000), ['locate', 'get']],
    ] as const) {
      it.hub.calls.length = 0
      const sink = new MemorySink(file.size)
      await new Downloader({ ...it, local: { get: async () => local } }).fetch(file, sink)
      expect(same(sink.bytes, bytes)).toBe(true)
      expect(it.hub.calls).toEqual(calls)
    }
  })
})

describe('wrong bytes', () => {
  test('[TR1] served once are asked for again, and never reach the sink', async () => {
    const it = world()
    const bytes = seededBytes(7, 3 * MIB)
    const file = await stored(it, bytes)
    const downloader = new Downloader(it)
    await downloader.fetch(file, new MemorySink(file.size))
    let lies = 1
    it.hub.damage = (range) => {
      if (lies-- > 0) range[1_000]! ^= 1
      return range
    }
    it.hub.bytesRead = 0
    const sink = new MemorySink(file.size)
    await downloader.fetch(file, sink)
    expect(same(sink.bytes, bytes)).toBe(true)
    // One chunk more than the file: what came right with it is kept.
    expect(it.hub.bytesRead).toBeLessThan(3 * MIB + 200_000)
  })

  test('served always are reported as ChunkMismatchError after two tries; the other chunks are kept', async () => {
    const it = world()
    const bytes = seededBytes(8, 200_000)
    const file = await stored(it, bytes)
    const downloader = new Downloader(it)
    await downloader.fetch(file, new MemorySink(file.size))
    it.hub.calls.length = 0
    it.hub.damage = (range) => range.fill(0, 0, 10)
    const sink = new MemorySink(file.size)
    const first = chunkIdAt(file.chunks, 0)
    await expect(downloader.fetch(file, sink)).rejects.toMatchObject({
      code: 'CHUNK_MISMATCH',
      expected: first,
    })
    expect(it.hub.count('get')).toBe(2)
    expect(it.hub.distrusted).toEqual([it.hub.places.get(first)![0]!.blob])
    const firstLength = file.chunks.lengths[0]!
    expect(sink.written.subarray(0, firstLength).some((flag) => flag === 1)).toBe(false)
    expect(same(sink.bytes.subarray(firstLength), bytes.subarray(firstLength))).toBe(true)
  })

  test.each([206, 416])('of a blob that is too short (status %d): the hub is told of it', async (status) => {
    const it = world()
    const bytes = seededBytes(8, 200_000)
    const file = await stored(it, bytes)
    let failures = 1
    it.hub.before = (call) => {
      if (call === 'get' && failures-- > 0) throw new StoreError('outside of the blob', status)
    }
    await new Downloader(it).fetch(file, new MemorySink(file.size))
    expect(it.hub.distrusted).toHaveLength(1)
  })

  test('from one blob are made up for by another place of the chunk', async () => {
    const it = world()
    const bytes = seededBytes(9, 5_000)
    const file = await stored(it, bytes)
    const id = file.root
    const [bad] = it.hub.places.get(id)!
    await it.hub.addPack([
      { id, bytes },
      { id: (await uploadOf(seededBytes(1, 9))).file.root, bytes: seededBytes(1, 9) },
    ])
    const [, good] = it.hub.places.get(id)!
    it.hub.damage = (range, grant) => (grant.url.includes(bad!.blob) ? range.fill(0) : range)
    it.hub.before = (call) => {
      if (call === 'locate' && it.hub.count('locate') === 2) it.hub.places.set(id, [good!])
    }
    const sink = new MemorySink(file.size)
    await new Downloader(it).fetch(file, sink)
    expect(same(sink.bytes, bytes)).toBe(true)
  })

  test('in the manifest are reported, and a manifest that contradicts the version is refused', async () => {
    const it = world()
    const file = await stored(it, seededBytes(10, 200_000))
    const sink = new MemorySink(file.size + 1)
    const other = { ...file, size: file.size + 1 }
    await expect(new Downloader(it).fetch(other, sink)).rejects.toBeInstanceOf(DecodeError)
    it.hub.damage = (range) => range.fill(0)
    await expect(new Downloader(it).fetch(file, sink)).rejects.toBeInstanceOf(ChunkMismatchError)
    expect(sink.writes).toBe(0)
    const empty = { root: file.root, height: 0, size: 0 }
    await expect(new Downloader(it).fetch(empty, sink)).rejects.toBeInstanceOf(ChunkMismatchError)
  })
})

describe('places', () => {
  test('chunks that nobody has are a ChunksMissingError; the others are written', async () => {
    const it = world()
    const bytes = seededBytes(11, 200_000)
    const file = await stored(it, bytes)
    const lost = chunkIdAt(file.chunks, 2)
    it.hub.places.delete(lost)
    const sink = new MemorySink(file.size)
    const error = await new Downloader(it).fetch(file, sink).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(ChunksMissingError)
    expect((error as ChunksMissingError).chunks).toEqual([lost])
    expect(sink.written.reduce((sum, flag) => sum + flag, 0)).toBe(file.size - file.chunks.lengths[2]!)
  })

  test('a place that cannot be is no place', async () => {
    const it = world()
    const file = await stored(it, seededBytes(12, 5_000))
    const { locate } = it.hub
    for (const lie of [
      { blob: 7 },
      { offset: 2 ** 31 },
      { length: 4_999, storedLength: 4_999 },
      { codec: 1 },
    ]) {
      it.hub.locate = async (ids) => {
        const { blobs, chunks } = await locate.call(it.hub, ids)
        return { blobs, chunks: chunks.map((place) => ({ ...place, ...lie })) }
      }
      await expect(new Downloader(it).fetch(file, new MemorySink(5_000))).rejects.toBeInstanceOf(
        ChunksMissingError,
      )
    }
  })

  test('a blob that is gone is located anew', async () => {
    const it = world()
    const bytes = seededBytes(13, 5_000)
    const file = await stored(it, bytes)
    const [place] = it.hub.places.get(file.root)!
    await it.hub.addPack([
      { id: file.root, bytes },
      { id: chunkIdAt((await uploadOf(seededBytes(1, 9))).file.chunks, 0), bytes: seededBytes(1, 9) },
    ])
    await it.hub.store.delete(SPACE, place!.blob as BlobId)
    it.hub.before = (call) => {
      if (call === 'locate' && it.hub.count('locate') === 2) it.hub.places.get(file.root)!.shift()
    }
    const sink = new MemorySink(file.size)
    await new Downloader(it).fetch(file, sink)
    expect(same(sink.bytes, bytes)).toBe(true)
  })
})

describe('failures', () => {
  test('grants that are over are asked for again', async () => {
    const it = world()
    const bytes = seededBytes(14, 5 * MIB)
    const file = await stored(it, bytes)
    let expired = 0
    it.hub.before = (call) => {
      if (call === 'get' && expired++ === 1) it.hub.nowMs += 31 * 60_000
    }
    const sink = new MemorySink(file.size)
    await new Downloader(it).fetch(file, sink)
    expect(same(sink.bytes, bytes)).toBe(true)
  })

  test('of the store are tried again; those that do not end are thrown', async () => {
    const it = world()
    const bytes = seededBytes(15, MIB)
    const file = await stored(it, bytes)
    let failures = 3
    it.hub.before = (call) => {
      if (call === 'get' && failures-- > 0) throw new StoreError('busy', 503)
    }
    const sink = new MemorySink(file.size)
    await new Downloader(it).fetch(file, sink)
    expect(same(sink.bytes, bytes)).toBe(true)
    failures = Number.POSITIVE_INFINITY
    it.hub.calls.length = 0
    await expect(new Downloader(it).fetch(file, new MemorySink(file.size))).rejects.toThrow('busy')
    expect(it.hub.count('get')).toBe(8)
  })

  test('a session that is replaced midway: the download goes on with the new one', async () => {
    const it = world()
    const bytes = seededBytes(16, 4 * MIB)
    const file = await stored(it, bytes)
    let polls = 0
    it.hub.before = (call) => {
      if (call === 'locate' && it.hub.count('locate') === 2) throw new TransportError('the session ended')
    }
    const authority = () => (it.hub.count('locate') === 2 && polls++ < 20 ? undefined : it.hub)
    const sink = new MemorySink(file.size)
    await new Downloader({ ...it, authority }).fetch(file, sink)
    expect(same(sink.bytes, bytes)).toBe(true)
    expect(polls).toBeGreaterThanOrEqual(20)
  })

  test('of the sink are thrown at once', async () => {
    const it = world()
    const file = await stored(it, seededBytes(17, MIB))
    const sink = { write: () => Promise.reject(new Error('disk full')) }
    await expect(new Downloader(it).fetch(file, sink)).rejects.toThrow('disk full')
    expect(it.timers.delaysMs).toEqual([])
  })

  test('an abort ends it; the sink keeps what came, and the next attempt fetches the rest', async () => {
    const it = world()
    const bytes = seededBytes(18, 30 * MIB)
    const file = await stored(it, bytes)
    const downloader = new Downloader(it)
    const sink = new MemorySink(file.size)
    const abort = new AbortController()
    const options = {
      signal: abort.signal,
      onProgress: (durable: number) => durable > 8 * MIB && abort.abort(new Error('enough')),
    }
    await expect(downloader.fetch(file, sink, options)).rejects.toThrow('enough')
    const kept = sink.written.reduce((sum, flag) => sum + flag, 0)
    expect(kept).toBeGreaterThan(8 * MIB)
    it.hub.bytesRead = 0
    await downloader.fetch(file, sink)
    expect(same(sink.bytes, bytes)).toBe(true)
    expect(it.hub.bytesRead).toBeLessThan(file.size - kept + DOWNLOAD_RANGE_BYTES_MAX)
  })
})

describe('fetchSmall', () => {
  test('many files come in few requests; missing, long and wrong ones are left out', async () => {
    const it = world()
    const uploads = await Promise.all(
      Array.from({ length: 3_000 }, (_, i) => uploadOf(seededBytes(i + 1, 1_000 + i))),
    )
    await new Uploader(it).ensureStored(uploads)
    const long = seededBytes(1, 70_000)
    const longId = Buffer.from(it.hasher.sha256(long)).toString('hex') as ChunkId
    await it.hub.addPack([{ id: longId, bytes: long }])
    const empty = (await uploadOf(new Uint8Array())).file.root
    const roots = uploads.map(({ file }) => file.root)
    it.hub.calls.length = 0
    it.hub.places.delete(roots[5]!)
    const wrong = it.hub.places.get(roots[7]!)![0]!
    it.hub.places.set(roots[7]!, [{ ...wrong, offset: wrong.offset + 1 }])
    const found = await new Downloader(it).fetchSmall([...roots, empty, longId, roots[0]!])
    expect(found.size).toBe(3_000 - 2 + 1)
    expect([roots[5]!, roots[7]!, longId].some((id) => found.has(id))).toBe(false)
    for (const [i, { file, bytes }] of uploads.entries()) {
      if (i !== 5 && i !== 7) expect(same(found.get(file.root)!, bytes)).toBe(true)
    }
    expect(found.get(empty)).toEqual(new Uint8Array())
    expect(it.hub.calls.length).toBeLessThanOrEqual(12)
  })

  test('every second file of a pack is one range: short gaps are read over', async () => {
    const it = world()
    const uploads = await Promise.all(
      Array.from({ length: 200 }, (_, i) => uploadOf(seededBytes(i + 1, 1_000))),
    )
    await new Uploader(it).ensureStored(uploads)
    it.hub.calls.length = 0
    const roots = uploads.map(({ file }) => file.root).filter((_, i) => i % 2 === 0)
    expect((await new Downloader(it).fetchSmall(roots)).size).toBe(100)
    expect(it.hub.count('get')).toBe(1)
  })

  test('it ends with the signal', async () => {
    const it = world()
    const file = await stored(it, seededBytes(1, 10))
    const abort = new AbortController()
    it.hub.before = () => abort.abort(new Error('enough'))
    await expect(new Downloader(it).fetchSmall([file.root], { signal: abort.signal })).rejects.toThrow(
      'enough',
    )
  })
})
