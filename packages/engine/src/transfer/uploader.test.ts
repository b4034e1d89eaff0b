import {
  AccessError,
  BLOB_BYTES_MAX,
  PeerError,
  SourceChangedError,
  StoreError,
  TRANSFER_BYTES_IN_FLIGHT_MAX,
  TransportError,
} from '@tidemark/protocol'
import { describe, expect, test } from 'vitest'
import { seededBytes } from '../../test/bytes.js'
import { SPACE, uploadOf, type World, world } from '../../test/transfer-fixture.js'
import type { Upload } from '../binding.js'
import { chunkIdAt } from '../chunking/chunk-list.js'
import { Uploader } from './uploader.js'

const MIB = 2 ** 20

function idsOf(uploads: readonly Upload[]): Set<string> {
  const ids = new Set<string>()
  for (const { file } of uploads) {
    for (let i = 0; i < file.chunks.count; i++) ids.add(chunkIdAt(file.chunks, i))
    for (const { id } of file.manifest) ids.add(id)
  }
  return ids
}

function expectStored({ hub }: World, uploads: readonly Upload[]): void {
  expect([...idsOf(uploads)].filter((id) => !hub.places.has(id as never))).toEqual([])
}

describe('ensureStored', () => {
  test('one small file is one question and one message', async () => {
    const it = world()
    const uploads = [await uploadOf(seededBytes(1, 1_000))]
    await new Uploader(it).ensureStored(uploads)
    expect(it.hub.calls).toEqual(['need', 'putInline'])
    expectStored(it, uploads)
    expect(uploads[0]!.source.closed).toBe(true)
  })

  test('the empty file is stored too, and no files are no question', async () => {
    const it = world()
    await new Uploader(it).ensureStored([])
    expect(it.hub.calls).toEqual([])
    const uploads = [await uploadOf(new Uint8Array())]
    await new Uploader(it).ensureStored(uploads)
    expectStored(it, uploads)
  })

  test('what the hub has is not sent again', async () => {
    const it = world()
    const uploads = [await uploadOf(seededBytes(1, 300_000)), await uploadOf(seededBytes(2, 10))]
    await new Uploader(it).ensureStored(uploads)
    it.hub.calls.length = 0
    const progress: number[] = []
    await new Uploader(it).ensureStored(uploads, { onProgress: (bytes) => progress.push(bytes) })
    expect(it.hub.calls).toEqual(['need'])
    expect(progress).toEqual([300_010])
  })

  test('an edit of a stored file sends the changed chunks and one path of its manifest, by message', async () => {
    const it = world()
    const bytes = seededBytes(3, 20 * MIB)
    await new Uploader(it).ensureStored([await uploadOf(bytes)])
    it.hub.calls.length = 0
    const edited = bytes.slice()
    edited[7 * MIB]! ^= 1
    const upload = await uploadOf(edited)
    upload.source.reads = 0
    await new Uploader(it).ensureStored([upload])
    expect(it.hub.calls).toEqual(['need', 'putInline'])
    expect(upload.source.reads).toBeLessThanOrEqual(2)
    expectStored(it, [upload])
  })

  test('large files go in packs within the bounds, each chunk once, and progress counts every file', async () => {
    const it = world()
    const large = seededBytes(4, 30 * MIB)
    const uploads = await Promise.all(
      [large, seededBytes(5, 3_000), large.slice(), new Uint8Array(9 * MIB)].map(uploadOf),
    )
    const progress: number[] = []
    await new Uploader(it).ensureStored(uploads, { onProgress: (bytes) => progress.push(bytes) })
    expectStored(it, uploads)
    for (const places of it.hub.places.values()) expect(places).toHaveLength(1)
    let blobs = 0
    for await (const blob of it.hub.store.list(SPACE)) {
      blobs++
      expect(await it.hub.store.stat(SPACE, blob)).toBeLessThanOrEqual(BLOB_BYTES_MAX)
    }
    expect(blobs).toBeLessThanOrEqual(6)
    expect(progress).toEqual([...progress].sort((a, b) => a - b))
    expect(progress.at(-1)).toBe(69 * MIB + 3_000)
  })

  test('10,000 small files are a few requests', async () => {
    const it = world()
    const uploads = await Promise.all(
      Array.from({ length: 10_000 }, (_, i) => uploadOf(seededBytes(i + 1, 1_000 + (i % 3_000)))),
    )
    await new Uploader(it).ensureStored(uploads)
    expect(it.hub.calls.length).toBeLessThanOrEqual(3 + 4 * 3)
    expectStored(it, uploads)
    expect(uploads.every(({ source }) => source.closed)).toBe(true)
  })

  test('[TR4] bodies in memory stay within TRANSFER_BYTES_IN_FLIGHT_MAX', async () => {
    const it = world()
    it.hub.before = (call) => (call === 'put' ? new Promise((resolve) => setTimeout(resolve, 20)) : undefined)
    const uploads = await Promise.all([6, 7].map((seed) => uploadOf(seededBytes(seed, 40 * MIB))))
    const uploader = new Uploader(it)
    await Promise.all(uploads.map((upload) => uploader.ensureStored([upload])))
    expect(it.hub.bodiesMost).toBeGreaterThan(20 * MIB)
    expect(it.hub.bodiesMost).toBeLessThanOrEqual(TRANSFER_BYTES_IN_FLIGHT_MAX)
    expectStored(it, uploads)
  })
})

describe('a source that changed after it was chunked', () => {
  test.each([100, 3 * MIB])(
    'of %d bytes: SourceChangedError at once, and no wrong chunk is stored',
    async (size) => {
      const it = world()
      const upload = await uploadOf(seededBytes(8, size))
      upload.source.bytes[size - 1]! ^= 1
      await expect(new Uploader(it).ensureStored([upload])).rejects.toBeInstanceOf(SourceChangedError)
      expect(it.timers.delaysMs).toEqual([])
      expect(it.hub.places.size).toBe(0)
      expect(upload.source.closed).toBe(true)
    },
  )

  test('of another size now: SourceChangedError', async () => {
    const it = world()
    const upload = await uploadOf(seededBytes(8, 1_000))
    const other = await uploadOf(seededBytes(8, 2_000))
    const changed = { file: upload.file, open: other.open }
    await expect(new Uploader(it).ensureStored([changed])).rejects.toBeInstanceOf(SourceChangedError)
  })
})

describe('failures', () => {
  test('of the store are tried again, with growing delays', async () => {
    const it = world()
    let failures = 3
    it.hub.before = (call) => {
      if (call === 'put' && failures-- > 0) throw new StoreError('busy', 503)
    }
    const uploads = [await uploadOf(seededBytes(9, 2 * MIB))]
    await new Uploader(it).ensureStored(uploads)
    expectStored(it, uploads)
    expect(it.timers.delaysMs).toEqual([200, 300, 501])
  })

  test('of a store that asks for patience are tried again when it said, or after a minute', async () => {
    const it = world()
    const asked = [5_000, 3_600_000]
    it.hub.before = (call) => {
      const retryAfterMs = call === 'put' ? asked.shift() : undefined
      if (retryAfterMs !== undefined) throw new StoreError('busy', 503, { retryAfterMs })
    }
    const uploads = [await uploadOf(seededBytes(9, 2 * MIB))]
    await new Uploader(it).ensureStored(uploads)
    expectStored(it, uploads)
    expect(it.timers.delaysMs).toEqual([5_000, 60_000])
  })

  test('that do not end are thrown after a bounded number of attempts', async () => {
    const it = world()
    it.hub.before = (call) => {
      if (call === 'put') throw new StoreError('broken', 500)
    }
    const uploads = [await uploadOf(seededBytes(9, 2 * MIB))]
    await expect(new Uploader(it).ensureStored(uploads)).rejects.toThrow('broken')
    expect(it.hub.count('put')).toBe(8)
  })

  test('a grant that is over is asked for again, at once', async () => {
    const it = world()
    let expire = true
    it.hub.before = (call) => {
      if (call === 'put' && expire) it.hub.nowMs += 31 * 60_000
      if (call === 'put') expire = false
    }
    const uploads = [await uploadOf(seededBytes(9, 2 * MIB))]
    await new Uploader(it).ensureStored(uploads)
    expectStored(it, uploads)
    expect(it.hub.count('grantPuts')).toBe(2)
    expect(it.timers.delaysMs).toEqual([])
  })

  test('a pack that the hub does not find whole is sent again', async () => {
    const it = world()
    const { stored } = it.hub
    let lost = 1
    it.hub.stored = async (blobs) => (lost-- > 0 ? [] : stored.call(it.hub, blobs))
    const uploads = [await uploadOf(seededBytes(9, 2 * MIB))]
    await new Uploader(it).ensureStored(uploads)
    expect(it.hub.count('put')).toBe(2)
    expectStored(it, uploads)
  })

  test('a hub that asks for patience gets it; a refusal is thrown at once', async () => {
    const it = world()
    let first = true
    it.hub.before = (call) => {
      if (call === 'need' && first) {
        first = false
        throw new PeerError('BUSY', 'later', 'later', 7_000)
      }
    }
    await new Uploader(it).ensureStored([await uploadOf(seededBytes(9, 10))])
    expect(it.timers.delaysMs).toEqual([7_000])
    it.hub.before = () => {
      throw new AccessError('FORBIDDEN', 'no')
    }
    await expect(new Uploader(it).ensureStored([await uploadOf(seededBytes(10, 10))])).rejects.toThrow('no')
    expect(it.timers.delaysMs).toEqual([7_000])
  })
})

describe('sessions', () => {
  test('[TR3] a session that breaks and is replaced midway: the upload goes on with the new one', async () => {
    const it = world()
    let broken = false
    let polls = 0
    it.hub.before = (call) => {
      if (call === 'stored' && !broken) {
        broken = true
        throw new TransportError('the session ended')
      }
    }
    const authority = () => (broken && polls++ < 20 ? undefined : it.hub)
    const uploads = [await uploadOf(seededBytes(9, 20 * MIB))]
    await new Uploader({ ...it, authority }).ensureStored(uploads)
    expectStored(it, uploads)
    expect(polls).toBeGreaterThan(20)
  })

  test('without a session it waits until the signal aborts', async () => {
    const it = world()
    const abort = new AbortController()
    let polls = 0
    const authority = () => {
      if (++polls === 50) abort.abort(new Error('enough'))
      return undefined
    }
    const running = new Uploader({ ...it, authority }).ensureStored([await uploadOf(seededBytes(9, 10))], {
      signal: abort.signal,
    })
    await expect(running).rejects.toThrow('enough')
    expect(Math.max(...it.timers.delaysMs)).toBeLessThanOrEqual(2_000)
  })
})

test('an abort while bodies are on their way ends everything, gives the budget back, and a later call goes on', async () => {
  const it = world()
  const uploads = [await uploadOf(seededBytes(9, 60 * MIB))]
  const uploader = new Uploader(it)
  const abort = new AbortController()
  it.hub.before = (call) => {
    if (call === 'put' && it.hub.count('put') === 3) abort.abort(new Error('enough'))
  }
  await expect(uploader.ensureStored(uploads, { signal: abort.signal })).rejects.toThrow('enough')
  const puts = it.hub.count('put')
  await new Promise((resolve) => setImmediate(resolve))
  expect(it.hub.count('put')).toBe(puts)
  it.hub.before = () => undefined
  await uploader.ensureStored(uploads)
  expectStored(it, uploads)
})
