import { readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type BuiltPack, MemoryKeyValueStore } from '@tidemark/engine'
import { StoreError } from '@tidemark/protocol'
import { type FsBlobStore, fsBlobStore } from '@tidemark/store-fs'
import { beforeEach, expect, test } from 'vitest'
import { BlobIndex, HubBlobAuthority } from '../src/index.js'
import {
  type Chunk,
  chunkOf,
  hasher,
  ids,
  keptLog,
  packOf,
  SPACE,
  simplePacks,
  temporaryDirectory,
  uptime,
} from './fixture.js'

let directory: string
let blobs: FsBlobStore
let index: BlobIndex
let authority: HubBlobAuthority
let found: number
let storage: MemoryKeyValueStore
let chunks: readonly Chunk[]
let pack: BuiltPack
beforeEach(async () => {
  directory = await temporaryDirectory()
  found = 0
  storage = new MemoryKeyValueStore()
  await start()
  chunks = [chunkOf(500), chunkOf(2_000)]
  pack = packOf(chunks)
  await blobs.put(SPACE, pack.id, pack.bytes)
  expect(await authority.stored([pack.id])).toEqual([pack.id])
})

/** A hub starts, over what the one before has left. */
async function start(): Promise<void> {
  blobs = fsBlobStore({ directory })
  index = new BlobIndex(storage, uptime)
  const onBlobLost = () => {
    found += 1
  }
  const { logger } = keptLog()
  authority = new HubBlobAuthority({
    space: SPACE,
    blobs,
    index,
    packs: simplePacks,
    hasher,
    logger,
    onBlobLost,
  })
}

const pathOf = ({ id }: BuiltPack): string => join(directory, 'blobs', id.slice(0, 2), SPACE, id)

/** One bit of the first chunk is another one: a disk rots. */
async function rot(): Promise<void> {
  const bytes = await readFile(pathOf(pack))
  bytes[pack.chunks[0]!.offset]! ^= 1
  await writeFile(pathOf(pack), bytes)
}

/** What a device does that was given wrong bytes. */
const distrust = () => authority.locate(ids(chunks), { distrusted: [pack.id] })

/** What a device does that has this pack. @returns whether it had to send it. */
async function upload(): Promise<boolean> {
  const [grant] = await authority.grantPuts([{ id: pack.id, length: pack.bytes.length }])
  if (!grant) return false
  await blobs.put(SPACE, pack.id, pack.bytes)
  expect(await authority.stored([pack.id])).toEqual([pack.id])
  return true
}

test.each([
  ['rotten', rot],
  ['cut short', () => truncate(pathOf(pack), 300)],
  ['empty', () => truncate(pathOf(pack), 0)],
])(
  '[BG28] a blob that is %s is needed from when a device noticed it, and heals when one sends it',
  async (_, harm) => {
    await harm()
    expect(await authority.need(ids(chunks)), 'nobody has noticed').toEqual([])
    await distrust()
    expect(await authority.need(ids(chunks))).toEqual(ids(chunks))
    expect(found).toBe(1)
    expect(await index.auditDue(SPACE)).toBe(1)
    expect(await upload()).toBe(true)
    expect(await authority.need(ids(chunks))).toEqual([])
    expect(Buffer.from(await readFile(pathOf(pack)))).toEqual(Buffer.from(pack.bytes))
    expect(await upload()).toBe(false)
  },
)

test('[BG28] a blob heals also in a store that keeps what it has under an id', async () => {
  const keepWhatIsThere = () => {
    const put = blobs.put.bind(blobs)
    blobs.put = async (space, id, bytes) => {
      if ((await blobs.stat(space, id)) === undefined) await put(space, id, bytes)
    }
  }
  keepWhatIsThere()
  await rot()
  await distrust()
  expect(await upload()).toBe(true)
  await rot()
  // It was good a moment ago; a hub that starts does not know that.
  await start()
  keepWhatIsThere()
  await distrust()
  await authority.putInline(chunks)
  expect(Buffer.from(await readFile(pathOf(pack)))).toEqual(Buffer.from(pack.bytes))
})

test('[BG28] readers who find no other place are still told of it: another chunk in it may be good', async () => {
  await rot()
  const { blobs: named, chunks: placed } = await distrust()
  expect(named.map(({ id }) => id)).toEqual([pack.id])
  expect(placed).toHaveLength(2)
  const other = packOf([chunks[0]!, chunkOf(10)])
  await blobs.put(SPACE, other.id, other.bytes)
  await authority.stored([other.id])
  const located = await authority.locate([chunks[0]!.id])
  expect(located.blobs.map(({ id }) => id)).toEqual([other.id])
})

test('[BG28] small chunks of it that come by message heal it too, also in an equal pack', async () => {
  await rot()
  await distrust()
  await authority.putInline(chunks)
  expect(await authority.need(ids(chunks))).toEqual([])
  const { blobs: named, chunks: placed } = await authority.locate(ids(chunks))
  for (const { id, blob, offset, storedLength } of placed) {
    const bytes = await blobs.read(SPACE, named[blob]!.id, { offset, length: storedLength })
    expect(Buffer.from(hasher.sha256(bytes)).toString('hex')).toBe(id)
  }
})

test('[BG28] what was noticed is not forgotten by a start, and what became good again is found by a rebuild', async () => {
  await rot()
  await distrust()
  await start()
  expect(await authority.need(ids(chunks))).toEqual(ids(chunks))
  // It was the reading that was wrong.
  await writeFile(pathOf(pack), pack.bytes)
  await authority.rebuildIndex()
  expect(await authority.need(ids(chunks))).toEqual([])
  await start()
  expect(await authority.need(ids(chunks))).toEqual([])
})

test('[BG28] nobody is believed: a good blob stays as it is, and is not read again and again', async () => {
  let reads = 0
  const read = blobs.read.bind(blobs)
  blobs.read = (...args) => {
    reads += 1
    return read(...args)
  }
  for (let i = 0; i < 10; i++) await distrust()
  expect(reads).toBe(1)
  expect(await authority.need(ids(chunks))).toEqual([])
  expect(found).toBe(0)
  await authority.locate(ids(chunks), { distrusted: [packOf([chunkOf(1)]).id] })
  expect(reads, 'of a blob that is none').toBe(1)
})

test('[BG28] however many distrust a blob at once, it is read once', async () => {
  let [reads, underWay, most] = [0, 0, 0]
  const read = blobs.read.bind(blobs)
  blobs.read = async (...args) => {
    reads += 1
    underWay += 1
    most = Math.max(most, underWay)
    await new Promise((resolve) => setTimeout(resolve, 2))
    return read(...args).finally(() => {
      underWay -= 1
    })
  }
  const others = [packOf([chunkOf(10)]), packOf([chunkOf(11)])]
  for (const { id, bytes } of others) await blobs.put(SPACE, id, bytes)
  await authority.stored(others.map(({ id }) => id))
  reads = 0
  most = 0
  const distrusted = [pack, ...others].map(({ id }) => id)
  await Promise.all(Array.from({ length: 100 }, () => authority.locate(ids(chunks), { distrusted })))
  expect(reads).toBe(3)
  expect(most).toBe(1)
})

test('[BG28] a blob that is stored anew while it is looked at is good', async () => {
  await rot()
  let goOn = (): void => undefined
  const read = blobs.read.bind(blobs)
  blobs.read = async (...args) => {
    const bytes = await read(...args)
    blobs.read = read
    await new Promise<void>((resolve) => {
      goOn = resolve
    })
    return bytes
  }
  const looked = distrust()
  await new Promise((resolve) => setTimeout(resolve, 20))
  await blobs.delete(SPACE, pack.id)
  await blobs.put(SPACE, pack.id, pack.bytes)
  const stored = authority.stored([pack.id])
  goOn()
  await looked
  expect(await stored).toEqual([pack.id])
  expect(await upload()).toBe(false)
  expect(await authority.need(ids(chunks))).toEqual([])
})

test('[BG28] a store that cannot be read now damages nothing, and places are told nevertheless', async () => {
  blobs.read = async () => {
    throw new StoreError('away')
  }
  expect((await distrust()).chunks).toHaveLength(2)
  expect(await authority.need(ids(chunks))).toEqual([])
})

test('[BG28] a blob that is removed from the store is lost, not damaged', async () => {
  await blobs.delete(SPACE, pack.id)
  expect((await distrust()).chunks).toEqual([])
  expect(await index.damaged(SPACE)).toEqual([])
  expect(await upload()).toBe(true)
})
