import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { KeyValueStore } from '@tidemark/engine'
import { MemoryKeyValueStore } from '@tidemark/engine'
import { BLOB_BYTES_MAX, type ChunkId, IDS_PER_REQUEST_MAX, INLINE_BYTES_MAX } from '@tidemark/protocol'
import { type FsBlobStore, fsBlobStore } from '@tidemark/store-fs'
import { describe, expect, test } from 'vitest'
import { BlobIndex, HubBlobAuthority } from '../src/index.js'
import {
  chunkOf,
  hasher,
  ids,
  keptLog,
  type LogLine,
  MUSIC,
  packOf,
  SPACE,
  simplePacks,
  temporaryDirectory,
  uptime,
} from './fixture.js'

interface World {
  readonly directory: string
  readonly blobs: FsBlobStore
  readonly storage: KeyValueStore
  readonly index: BlobIndex
  readonly authority: HubBlobAuthority
  readonly lines: LogLine[]
}

async function world(given: { directory?: string; storage?: KeyValueStore } = {}): Promise<World> {
  const directory = given.directory ?? (await temporaryDirectory())
  const storage = given.storage ?? new MemoryKeyValueStore()
  const blobs = fsBlobStore({ directory })
  const index = new BlobIndex(storage, uptime)
  const { logger, lines } = keptLog()
  const authority = new HubBlobAuthority({ space: SPACE, blobs, index, packs: simplePacks, hasher, logger })
  return { directory, blobs, storage, index, authority, lines }
}

function pathOf({ directory }: World, id: string): string {
  return join(directory, 'blobs', id.slice(0, 2), SPACE, id)
}

describe('an uploaded pack', () => {
  test('its chunks are needed until it is stored and verified, and located after', async () => {
    const { authority, blobs } = await world()
    const chunks = [chunkOf(10), chunkOf(2_000), chunkOf(0)]
    const pack = packOf(chunks)
    expect(await authority.need(ids(chunks))).toEqual(ids(chunks))
    const [grant] = await authority.grantPuts([{ id: pack.id, length: pack.bytes.length }])
    expect(grant).toMatchObject({ method: 'PUT' })
    expect(await authority.stored([pack.id])).toEqual([])
    await blobs.put(SPACE, pack.id, pack.bytes)
    expect(await authority.stored([pack.id, pack.id])).toEqual([pack.id])
    expect(await authority.need(ids(chunks))).toEqual([])
    const located = await authority.locate([...ids(chunks), chunkOf(1).id])
    expect(located.blobs.map(({ id }) => id)).toEqual([pack.id])
    expect(located.blobs[0]!.grant).toMatchObject({ method: 'GET' })
    expect(located.chunks).toHaveLength(3)
    for (const place of located.chunks) {
      const { bytes } = chunks.find(({ id }) => id === place.id)!
      const range = { offset: place.offset, length: place.storedLength }
      expect(Buffer.from(await blobs.read(SPACE, pack.id, range))).toEqual(bytes)
      expect([place.blob, place.codec, place.length]).toEqual([0, 0, bytes.length])
    }
  })

  test('no grant is given for what is stored, also when the hub died before it was indexed', async () => {
    const { authority, blobs } = await world()
    await authority.need([])
    const pack = packOf([chunkOf(10)])
    await blobs.put(SPACE, pack.id, pack.bytes)
    expect(await authority.grantPuts([{ id: pack.id, length: pack.bytes.length }])).toEqual([null])
    expect(await authority.need(ids([chunkOf(10)]))).toHaveLength(1)
    expect(await authority.need([pack.chunks[0]!.id])).toEqual([])
  })

  test('[TR5] a pack that lies about one chunk is not stored, and none of its chunks are', async () => {
    const { authority, blobs, lines } = await world()
    const honest = chunkOf(10)
    const victim = chunkOf(10)
    const pack = packOf([honest, chunkOf(10)], [honest.id, victim.id])
    await blobs.put(SPACE, pack.id, pack.bytes)
    expect(await authority.stored([pack.id])).toEqual([])
    expect(await authority.indexBlob(pack.id, pack.bytes)).toBe(false)
    expect(await authority.need([honest.id, victim.id])).toEqual([honest.id, victim.id])
    expect(lines.at(-1)).toMatchObject({ level: 'warn', event: 'blob-refused', code: 'CHUNK_MISMATCH' })
    expect(await authority.grantPuts([{ id: pack.id, length: pack.bytes.length }])).not.toEqual([null])
  })

  test('bytes that are no pack are not stored', async () => {
    const { authority, blobs } = await world()
    const noPack = chunkOf(3)
    const id = noPack.id as string as Parameters<typeof blobs.put>[1]
    await blobs.put(SPACE, id, noPack.bytes)
    expect(await authority.stored([id])).toEqual([])
  })

  test('another space knows nothing of it', async () => {
    const one = await world()
    const chunk = chunkOf(10)
    await one.authority.putInline([chunk])
    const other = new HubBlobAuthority({
      space: MUSIC,
      blobs: one.blobs,
      index: one.index,
      packs: simplePacks,
      hasher,
      logger: keptLog().logger,
    })
    expect(await other.need([chunk.id])).toEqual([chunk.id])
    expect((await other.locate([chunk.id])).chunks).toEqual([])
  })
})

describe('a chunk with several places', () => {
  test('is located in a blob that is needed anyway', async () => {
    const { authority, blobs } = await world()
    const [a, b, c] = [chunkOf(10), chunkOf(10), chunkOf(10)]
    const packs = [packOf([a, b]), packOf([b, c]), packOf([b])]
    for (const pack of packs) {
      await blobs.put(SPACE, pack.id, pack.bytes)
      await authority.stored([pack.id])
    }
    const located = await authority.locate([a.id, b.id])
    expect(located.blobs).toHaveLength(1)
    expect(located.chunks).toHaveLength(2)
  })

  test('[TR5] outlives the loss of one blob, and the false place is forgotten alone', async () => {
    const it = await world()
    const [a, b] = [chunkOf(10), chunkOf(10)]
    const packs = [packOf([a]), packOf([a, b])]
    for (const pack of packs) {
      await it.blobs.put(SPACE, pack.id, pack.bytes)
      await it.authority.stored([pack.id])
    }
    await rm(pathOf(it, packs[1]!.id))
    expect(await it.authority.need([a.id, b.id])).toEqual([b.id])
    expect((await it.authority.locate([a.id, b.id])).blobs.map(({ id }) => id)).toEqual([packs[0]!.id])
    expect(await it.index.locators(SPACE, [a.id, b.id])).toMatchObject([[{ blob: packs[0]!.id }], []])
    expect(await it.authority.stored([packs[1]!.id])).toEqual([])
    await it.blobs.put(SPACE, packs[1]!.id, packs[1]!.bytes)
    expect(await it.authority.stored([packs[1]!.id])).toEqual([packs[1]!.id])
    expect(await it.authority.need([a.id, b.id])).toEqual([])
  })
})

describe('inline chunks', () => {
  test('concurrent calls share packs, and every chunk is found', async () => {
    const { authority, blobs } = await world()
    const batches = Array.from({ length: 40 }, (_, i) => Array.from({ length: 5 }, () => chunkOf(i * 3)))
    await Promise.all(batches.map((batch) => authority.putInline(batch)))
    const all = batches.flat()
    expect(await authority.need(ids(all))).toEqual([])
    let packs = 0
    for await (const _ of blobs.list(SPACE)) packs++
    expect(packs).toBeLessThanOrEqual(3)
    const located = await authority.locate(ids(all))
    for (const place of located.chunks) {
      const range = { offset: place.offset, length: place.storedLength }
      const bytes = await blobs.read(SPACE, located.blobs[place.blob]!.id, range)
      expect(Buffer.from(hasher.sha256(bytes)).toString('hex')).toBe(place.id)
    }
  })

  test('a known chunk is not stored again', async () => {
    const { authority, blobs } = await world()
    const chunk = chunkOf(100)
    for (let i = 0; i < 3; i++) await authority.putInline([chunk, chunk])
    let packs = 0
    for await (const _ of blobs.list(SPACE)) packs++
    expect(packs).toBe(1)
  })

  test('one chunk that is not what its id says: the whole call is refused and none is stored', async () => {
    const { authority } = await world()
    const good = chunkOf(10)
    const bad = { id: chunkOf(10).id, bytes: good.bytes }
    await expect(authority.putInline([good, bad])).rejects.toMatchObject({
      code: 'CHUNK_MISMATCH',
      expected: bad.id,
    })
    expect(await authority.need([good.id, bad.id])).toHaveLength(2)
  })

  test('a full store is told to every caller of the group, and nothing is claimed', async () => {
    const it = await world()
    const failing = { put: () => Promise.reject(new Error('disk full')) }
    const blobs = Object.assign(Object.create(it.blobs) as FsBlobStore, failing, {
      stat: it.blobs.stat.bind(it.blobs),
      list: it.blobs.list.bind(it.blobs),
    })
    const authority = new HubBlobAuthority({
      space: SPACE,
      blobs,
      index: it.index,
      packs: simplePacks,
      hasher,
      logger: keptLog().logger,
    })
    const chunks = [chunkOf(1), chunkOf(2)]
    const results = await Promise.allSettled(chunks.map((chunk) => authority.putInline([chunk])))
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(await authority.need(ids(chunks))).toEqual(ids(chunks))
  })
})

describe('bounds', () => {
  test('too many ids, too long a blob and too long an inline chunk are LimitErrors', async () => {
    const { authority } = await world()
    const many = Array.from({ length: IDS_PER_REQUEST_MAX + 1 }, () => '0'.repeat(64) as ChunkId)
    await expect(authority.need(many)).rejects.toMatchObject({ code: 'LIMIT' })
    await expect(authority.locate(many)).rejects.toMatchObject({ code: 'LIMIT' })
    const { id } = packOf([])
    for (const length of [0, -1, 1.5, BLOB_BYTES_MAX + 1]) {
      await expect(authority.grantPuts([{ id, length }])).rejects.toMatchObject({ code: 'LIMIT' })
    }
    const long = chunkOf(INLINE_BYTES_MAX + 1)
    await expect(authority.putInline([long])).rejects.toMatchObject({ limit: 'INLINE_BYTES_MAX' })
  })
})

describe('contents', () => {
  const versionOf = ({ id, bytes }: { id: ChunkId; bytes: Uint8Array }) => ({
    root: id,
    height: 0,
    size: bytes.length,
  })

  test('[BG22] those of a lost blob are lacking, others and empty ones are not; the loss is noted for an audit', async () => {
    const one = await world()
    const [kept, lost, empty] = [chunkOf(10), chunkOf(20), chunkOf(0)]
    for (const chunk of [kept, lost]) await one.authority.putInline([chunk])
    expect(await one.authority.lacking([kept, lost, empty].map(versionOf))).toEqual([])
    expect(await one.authority.dropLost()).toBe(0)
    expect(await one.index.auditDue(SPACE)).toBeUndefined()
    await rm(pathOf(one, packOf([lost]).id))
    expect(await one.authority.dropLost()).toBe(1)
    expect(await one.index.auditDue(SPACE)).toBe(1)
    expect(await one.authority.lacking([kept, lost, empty].map(versionOf))).toEqual([versionOf(lost)])
    await one.index.auditDone(SPACE, 1)
    expect(await one.index.auditDue(SPACE)).toBeUndefined()
  })

  test('[BG22] one whose manifest is no manifest, or is missing, is lacking', async () => {
    const { authority } = await world()
    const garbage = chunkOf(100)
    await authority.putInline([garbage])
    const versions = [garbage, chunkOf(50)].map(({ id }) => ({ root: id, height: 1, size: 1_000 }))
    expect(await authority.lacking(versions)).toEqual(versions)
  })
})

describe('rebuild', () => {
  test('an empty index over a store that is not empty is rebuilt before the first answer', async () => {
    const before = await world()
    const chunks = [chunkOf(10), chunkOf(20), chunkOf(30)]
    for (const chunk of chunks) await before.authority.putInline([chunk])
    const liar = packOf([chunkOf(1)], [chunkOf(1).id])
    await before.blobs.put(SPACE, liar.id, liar.bytes)
    const after = await world({ directory: before.directory })
    expect(await after.authority.need(ids(chunks))).toEqual([])
    expect(after.lines).toContainEqual(
      expect.objectContaining({ event: 'blob-index-rebuilt', blobs: 3, chunks: 3, refused: 1 }),
    )
    expect(await after.authority.rebuildIndex()).toEqual({ blobs: 0, chunks: 0, refused: 1 })
  })
})

describe('the index', () => {
  test('many concurrent additions of one chunk keep at most 8 places, and lose no other chunk', async () => {
    const index = new BlobIndex(new MemoryKeyValueStore(), uptime)
    const shared = chunkOf(5)
    const packs = Array.from({ length: 100 }, () => packOf([shared, chunkOf(5)]))
    await Promise.all(packs.map((pack) => index.add(SPACE, pack.id, pack.chunks)))
    const locators = await index.locators(SPACE, [shared.id, ...packs.map((pack) => pack.chunks[1]!.id)])
    expect(locators.map((list) => list.length)).toEqual([8, ...packs.map(() => 1)])
    for (const [i, pack] of packs.entries()) expect(locators[i + 1]).toMatchObject([{ blob: pack.id }])
    expect(await index.isEmpty(SPACE)).toBe(false)
    expect(await index.isEmpty(MUSIC)).toBe(true)
  })

  test('a drop is not done when the blob has come back meanwhile', async () => {
    const index = new BlobIndex(new MemoryKeyValueStore(), uptime)
    const pack = packOf([chunkOf(5)])
    await index.add(SPACE, pack.id, pack.chunks)
    await index.drop(SPACE, pack.id, [pack.chunks[0]!.id], async () => false)
    expect(await index.hasBlobs(SPACE, [pack.id])).toEqual([true])
    await index.drop(SPACE, pack.id, [pack.chunks[0]!.id], async () => true)
    expect(await index.hasBlobs(SPACE, [pack.id])).toEqual([false])
    expect(await index.isEmpty(SPACE)).toBe(true)
  })

  test('a failed batch rejects its callers, and the next one goes on', async () => {
    const storage = new MemoryKeyValueStore()
    const index = new BlobIndex(storage, uptime)
    const pack = packOf([chunkOf(5)])
    const batch = storage.batch.bind(storage)
    storage.batch = () => Promise.reject(new Error('closed'))
    await expect(index.add(SPACE, pack.id, pack.chunks)).rejects.toThrow('closed')
    storage.batch = batch
    await index.add(SPACE, pack.id, pack.chunks)
    expect(await index.hasBlobs(SPACE, [pack.id])).toEqual([true])
  })
})
