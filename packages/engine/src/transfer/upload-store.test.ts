import { SourceChangedError, TRANSFER_BYTES_IN_FLIGHT_MAX } from '@tidemark/protocol'
import { describe, expect, test } from 'vitest'
import { MemorySource, seededBytes } from '../../test/bytes.js'
import { uploadOf, type World, world } from '../../test/transfer-fixture.js'
import type { ChunkedFile } from '../binding.js'
import { chunkIdAt } from '../chunking/chunk-list.js'
import type { ByteSource } from '../ports/byte-source.js'
import { Uploader } from './uploader.js'

const MIB = 2 ** 20

function expectStored({ hub }: World, { chunks, manifest }: ChunkedFile): void {
  for (let i = 0; i < chunks.count; i++) expect(hub.places.has(chunkIdAt(chunks, i))).toBe(true)
  for (const { id } of manifest) expect(hub.places.has(id)).toBe(true)
}

/** Bytes that were asked of a source, in order. */
class Counted implements ByteSource {
  bytesRead = 0
  readonly size: number

  constructor(readonly bytes: Uint8Array) {
    this.size = bytes.length
  }

  async read(offset: number, length: number, into?: Uint8Array): Promise<Uint8Array> {
    expect(offset).toBe(this.bytesRead)
    this.bytesRead += length
    const part = this.bytes.subarray(offset, offset + length)
    into?.set(part)
    return into ? into.subarray(0, length) : part
  }

  async close(): Promise<void> {}
}

describe('store', () => {
  test.each([0, 10, 16_384, 16_385, 100_000, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 21 * MIB + 5])(
    '%d bytes: read once, in order, named as by chunking alone, and whole at the hub',
    async (size) => {
      const it = world()
      const bytes = seededBytes(11, size)
      const source = new Counted(bytes)
      const progress: number[] = []
      const file = await new Uploader(it).store(source, { onProgress: (done) => progress.push(done) })
      expect(file).toEqual((await uploadOf(bytes)).file)
      expect(source.bytesRead).toBe(size)
      expectStored(it, file)
      expect(progress).toEqual([...progress].sort((a, b) => a - b))
      if (size > 0) expect(progress.at(-1)).toBe(size)
    },
  )

  test('chunks that occur again are sent once, and counted wherever they are', async () => {
    const it = world()
    const progress: number[] = []
    const file = await new Uploader(it).store(new MemorySource(new Uint8Array(30 * MIB)), {
      onProgress: (done) => progress.push(done),
    })
    expectStored(it, file)
    expect(it.hub.count('put')).toBe(0)
    expect(it.hub.count('putInline')).toBe(1)
    expect(progress.at(-1)).toBe(30 * MIB)
  })

  test('an edit of a stored file sends the changed chunks and a path of the manifest, by message', async () => {
    const it = world()
    const bytes = seededBytes(12, 40 * MIB)
    const uploader = new Uploader(it)
    await uploader.store(new MemorySource(bytes))
    it.hub.calls.length = 0
    const edited = bytes.slice()
    edited[7 * MIB]! ^= 1
    edited[33 * MIB]! ^= 1
    const file = await uploader.store(new MemorySource(edited))
    expectStored(it, file)
    expect(it.hub.count('put')).toBe(0)
    expect(it.hub.count('putInline')).toBe(1)
  })

  test('many scattered edits gather in packs: far fewer than windows', async () => {
    const it = world()
    const bytes = seededBytes(13, 64 * MIB)
    const uploader = new Uploader(it)
    await uploader.store(new MemorySource(bytes))
    const puts = it.hub.count('put')
    const edited = bytes.slice()
    for (let at = 0; at < edited.length; at += 128 * 1024) edited[at]! ^= 1
    const file = await uploader.store(new MemorySource(edited))
    expectStored(it, file)
    expect(it.hub.count('put') - puts).toBeLessThanOrEqual(4)
  })

  test('[TR4] windows and bodies in memory stay within TRANSFER_BYTES_IN_FLIGHT_MAX', async () => {
    const it = world()
    it.hub.before = (call) => (call === 'put' ? new Promise((resolve) => setTimeout(resolve, 20)) : undefined)
    const uploader = new Uploader(it)
    const files = await Promise.all(
      [6, 7].map((seed) => uploader.store(new MemorySource(seededBytes(seed, 40 * MIB)))),
    )
    expect(it.hub.bodiesMost).toBeGreaterThan(20 * MIB)
    expect(it.hub.bodiesMost).toBeLessThanOrEqual(TRANSFER_BYTES_IN_FLIGHT_MAX)
    for (const file of files) expectStored(it, file)
  })

  test('nothing is read before there is a session', async () => {
    const it = world()
    const source = new Counted(seededBytes(14, MIB))
    let polls = 0
    const authority = () => {
      if (polls === 20) return it.hub
      polls++
      expect(source.bytesRead).toBe(0)
      return undefined
    }
    expectStored(it, await new Uploader({ ...it, authority }).store(source))
    expect(polls).toBe(20)
  })

  test('a source that changes midway: SourceChangedError, and the memory is free for the next file', async () => {
    const it = world()
    const uploader = new Uploader(it)
    for (let i = 0; i < 8; i++) {
      const changing: ByteSource = {
        size: 30 * MIB,
        read: async (offset, length) => {
          if (offset > 20 * MIB) throw new SourceChangedError('changed')
          return seededBytes(i + 1, length)
        },
        close: async () => undefined,
      }
      await expect(uploader.store(changing)).rejects.toBeInstanceOf(SourceChangedError)
    }
    expectStored(it, await uploader.store(new MemorySource(seededBytes(15, 20 * MIB))))
  })

  test('an abort while bodies are on their way ends everything, and a later call sends only the rest', async () => {
    const it = world()
    const bytes = seededBytes(16, 60 * MIB)
    const uploader = new Uploader(it)
    const abort = new AbortController()
    it.hub.before = (call) => {
      if (call === 'put' && it.hub.count('put') === 4) abort.abort(new Error('enough'))
    }
    await expect(uploader.store(new MemorySource(bytes), { signal: abort.signal })).rejects.toThrow('enough')
    const stored = it.hub.count('stored')
    expect(stored).toBeGreaterThan(0)
    it.hub.before = () => undefined
    it.hub.calls.length = 0
    expectStored(it, await uploader.store(new MemorySource(bytes)))
    expect(it.hub.count('put')).toBeLessThanOrEqual(8 - stored)
  })
})
