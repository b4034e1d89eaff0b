import { MemoryKeyValueStore } from '@tidemark/engine'
import {
  BLOB_BYTES_MAX,
  type BlobId,
  type ByteRange,
  parseSpaceName,
  type SpaceName,
} from '@tidemark/protocol'
import { MemoryBlobStore } from '@tidemark/protocol/memory'
import { expect, test } from 'vitest'
import { BlobIndex, HubBlobs } from '../src/index.js'
import { blobIds, chunkOf, hasher, keptLog, packOf, SPACE, simplePacks, uptime } from './fixture.js'

/** Says how much of it is read at once. */
class CountingStore extends MemoryBlobStore {
  reads = 0
  mostReads = 0
  #now = 0

  /** @param hugeRotten Every blob is as long as can be, and reading it gives other bytes. */
  constructor(private readonly hugeRotten: boolean) {
    super({ sha256: hasher.sha256, now: () => 0 })
  }

  override async stat(space: SpaceName, id: BlobId): Promise<number | undefined> {
    const length = await super.stat(space, id)
    return length && this.hugeRotten ? BLOB_BYTES_MAX : length
  }

  override async read(space: SpaceName, id: BlobId, range: ByteRange): Promise<Uint8Array> {
    this.reads += 1
    this.mostReads = Math.max(this.mostReads, ++this.#now)
    await new Promise(setImmediate)
    this.#now -= 1
    return this.hugeRotten ? new Uint8Array() : super.read(space, id, range)
  }
}

function hubOver(blobs: CountingStore): HubBlobs {
  const index = new BlobIndex(new MemoryKeyValueStore(), uptime)
  const { logger } = keptLog()
  return new HubBlobs({ blobs, index, packs: simplePacks, hasher, logger, rebuildAtStart: false })
}

test('however many ask, in however many spaces, few of the largest blobs are in memory at once', async () => {
  const blobs = new CountingStore(true)
  const hub = hubOver(blobs)
  const spaces = ['one', 'two', 'three'].map(parseSpaceName)
  const packs = Array.from({ length: 20 }, () => packOf([chunkOf(10)]))
  for (const space of spaces) {
    await hub.authority(space).need([])
    for (const { id, bytes } of packs) await blobs.put(space, id, bytes)
  }
  await Promise.all(spaces.flatMap((space) => packs.map(({ id }) => hub.authority(space).stored([id]))))
  // To index them, and to make room.
  expect(blobs.reads).toBe(120)
  expect(blobs.mostReads).toBeLessThanOrEqual(4)
})

test('[TR5] what was refused as no pack is not read again, however often it is asked for', async () => {
  const blobs = new CountingStore(false)
  const authority = hubOver(blobs).authority(SPACE)
  await authority.need([])
  const liar = packOf([chunkOf(10)], [chunkOf(10).id])
  const good = packOf([chunkOf(10)])
  for (const { id, bytes } of [liar, good]) await blobs.put(SPACE, id, bytes)
  for (let i = 0; i < 5; i++) expect(await authority.stored(blobIds([liar, good]))).toEqual([good.id])
  expect(await authority.grantPuts([{ id: liar.id, length: liar.bytes.length }])).not.toEqual([null])
  expect(blobs.reads).toBe(2)
})
