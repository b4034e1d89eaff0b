import { randomBytes } from 'node:crypto'
import { type ChunkId, type Loc, ROOT } from '@tidemark/protocol'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { seededBytes } from '../../engine/test/bytes.js'
import { BlobIndex } from '../src/index.js'
import { SPACE } from './fixture.js'
import { DAY, type File, fileOf, HOUR, KEEP_MS, nodeOf, packs, SweepWorld, upTo } from './sweep-world.js'

let world: SweepWorld
let small: File
let large: File
beforeEach(async () => {
  world = new SweepWorld()
  small = await fileOf(randomBytes(1_000))
  large = await fileOf(randomBytes(300_000))
})

const idsOf = (...files: readonly File[]): ChunkId[] =>
  files.flatMap(({ pieces }) => pieces.map(({ id }) => id))

async function committed(n: number, file: File): Promise<void> {
  await world.store(file)
  await world.write(n, file.content)
}

/** So much later that what nobody needs is condemned by the next pass. */
const pastLease = (): void => world.advance(DAY)
const pastKeep = (): void => world.advance(KEEP_MS)

/** So many chunks of the file are condemned. */
async function condemned(file: File): Promise<number> {
  const rows = await (await world.hub).index.rows(SPACE, idsOf(file))
  return rows.filter((row) => (row?.condemnedMs ?? 0) > 0).length
}

describe('what is needed', () => {
  test('[BG21] what a register names stays, small and large, however many passes there are', async () => {
    await committed(1, small)
    await committed(2, large)
    for (let i = 0; i < 5; i++) {
      pastKeep()
      expect(await world.pass()).toMatchObject({ condemnedBytes: 0, deletedBlobs: 0 })
    }
    expect(await world.unreadable(idsOf(small, large))).toEqual([])
  })

  test('[BG21] what is not visible stays: a move may show it again', async () => {
    await committed(1, small)
    const [content] = world.told.get(nodeOf(1))!.content
    const deletion: Loc = { parent: ROOT, name: '1.txt', dead: true, seen: upTo(content!.dot.seq) }
    const before = world.told.get(nodeOf(1))!.loc[0]!
    const loc = [{ ...world.sibling(deletion), ctx: upTo(before.dot.seq) }]
    await world.write(1, undefined, { loc, content: [content!] })
    for (let i = 0; i < 3; i++) {
      pastKeep()
      await world.pass()
    }
    expect(await world.unreadable(idsOf(small))).toEqual([])
  })

  test('[BG21] every one of several concurrent contents stays', async () => {
    await world.store(small)
    await world.store(large)
    const content = [small, large].map((file) => world.sibling(file.content))
    await world.write(1, undefined, { content })
    for (let i = 0; i < 3; i++) {
      pastKeep()
      await world.pass()
    }
    expect(await world.unreadable(idsOf(small, large))).toEqual([])
  })

  test('[BG21] a chunk that is a manifest node elsewhere does not hide what is below it', async () => {
    await world.store(large)
    // Whoever wrote this file chunked it otherwise than we do.
    const node = large.pieces.at(-1)!
    await world.write(1, { root: node.id, height: 0, size: node.bytes.length, mtimeMs: 0 })
    await world.write(2, large.content)
    for (let i = 0; i < 3; i++) {
      pastKeep()
      await world.pass()
    }
    expect(await world.unreadable(idsOf(large))).toEqual([])
  })

  test('[BG21] a manifest node that cannot be read ends the pass, and nothing is condemned', async () => {
    await committed(1, large)
    await committed(2, small)
    await world.write(2, undefined)
    const { authority } = await world.hub
    const { blobs, chunks } = await authority.locate([large.content.root!])
    await world.memory.delete(SPACE, blobs[chunks[0]!.blob]!.id)
    pastKeep()
    expect(await world.pass()).toBeUndefined()
    expect(await condemned(small)).toBe(0)
    expect(world.log.lines).toContainEqual(
      expect.objectContaining({
        event: 'sweep-incomplete',
        error: expect.objectContaining({ code: 'CHUNKS_MISSING' }),
      }),
    )
    await vi.waitFor(() => expect(world.wanted.map(({ root }) => root)).toContain(large.content.root))
    await world.restart()
    expect(await world.pass(), 'its blob is not in the index any more').toBeUndefined()
    expect(await condemned(small)).toBe(0)
    await world.store(large)
    expect(await world.pass()).toMatchObject({ condemnedBytes: 1_000 })
  })
})

describe('manifests', () => {
  test('[BG21] of several levels are marked to the last one', async () => {
    const huge = await fileOf(seededBytes(1, 12_000_000))
    expect(huge.content.height).toBe(2)
    await world.hub.then(({ authority }) => authority.need([]))
    for (let from = 0; from < huge.pieces.length; from += 500) {
      await world.store({ ...huge, pieces: huge.pieces.slice(from, from + 500) })
    }
    await world.write(1, huge.content)
    for (let i = 0; i < 2; i++) {
      pastKeep()
      await world.pass()
    }
    expect(await condemned(huge)).toBe(0)
  })

  test('[BG21] a node that was marked as a chunk is still to be walked, in this pass and in the next', async () => {
    await world.store(large)
    const { index } = await world.hub
    const root = large.content.root!
    const mark = async (passMs: number, isNode: boolean) =>
      (await index.sweeping.mark(SPACE, [root], passMs, isNode)).unwalked
    expect(await mark(1, false)).toEqual([])
    expect(await mark(1, true)).toEqual([root])
    expect(await mark(1, true)).toEqual([])
    expect(await mark(2, true)).toEqual([root])
  })

  test('[BG21] one that has rotted ends the pass', async () => {
    await committed(1, large)
    const rotten = large.pieces.at(-1)!
    const { memory } = world
    const read = memory.read.bind(memory)
    memory.read = async (space, id, range, options) => {
      const bytes = await read(space, id, range, options)
      // In the id of a child: it is a manifest node of something else.
      return range.length === rotten.bytes.length
        ? bytes.map((byte, i) => (i === 30 ? byte ^ 1 : byte))
        : bytes
    }
    pastKeep()
    expect(await world.pass()).toBeUndefined()
    expect(world.log.lines.at(-1)).toMatchObject({ error: { code: 'CHUNK_MISMATCH' } })
  })

  test('[BG21] what an entry calls a manifest and is none has nothing below it', async () => {
    await world.store(small)
    await world.store(large)
    await world.write(1, { ...small.content, height: 1 })
    pastLease()
    expect(await world.pass()).toMatchObject({ condemnedBytes: expect.any(Number) })
    expect([await condemned(small), await condemned(large)]).toEqual([0, large.pieces.length])
  })
})

describe('leases', () => {
  test('[BG23] what was stored and is not committed yet is not condemned for a day, over restarts too', async () => {
    await world.store(small)
    world.advance(DAY - HOUR)
    await world.pass()
    await world.restart()
    await world.pass()
    expect(await condemned(small)).toBe(0)
    world.advance(HOUR)
    await world.pass()
    expect(await condemned(small)).toBe(1)
  })

  test('[BG23] "have", and a place that is told, are a lease', async () => {
    await committed(1, small)
    await committed(2, large)
    for (const n of [1, 2]) await world.write(n, undefined)
    world.advance(20 * HOUR)
    const { authority } = await world.hub
    expect(await authority.need(idsOf(small))).toEqual([])
    expect((await authority.locate(idsOf(large))).chunks).toHaveLength(large.pieces.length)
    world.advance(20 * HOUR)
    await world.pass()
    expect([await condemned(small), await condemned(large)]).toEqual([0, 0])
  })

  test('[BG23] what is read is not deleted under the reader, though it is condemned', async () => {
    await committed(1, small)
    await world.write(1, undefined)
    pastLease()
    await world.pass()
    pastKeep()
    const { authority } = await world.hub
    const { chunks } = await authority.locate(idsOf(small))
    expect(chunks).toHaveLength(1)
    world.advance(DAY - 1)
    await world.pass()
    expect(await world.unreadable(idsOf(small))).toEqual([])
    world.advance(DAY)
    expect(await world.pass()).toMatchObject({ deletedBlobs: 1 })
  })

  test('[BG23] neither a clock that jumps nor time in which the hub was off counts', async () => {
    await committed(1, small)
    await world.write(1, undefined)
    pastLease()
    await world.pass()
    world.wallMs += 400 * DAY
    await world.pass()
    await world.restart()
    world.advance(400 * DAY)
    await world.hub
    await world.pass()
    expect(await world.blobs()).toHaveLength(1)
  })
})

describe('what is condemned', () => {
  beforeEach(async () => {
    await committed(1, large)
    await world.write(1, undefined)
    pastLease()
    await world.pass()
    expect(await condemned(large)).toBe(large.pieces.length)
  })

  test('[BG24] is needed again, and sent again in a new pack it is not condemned any more', async () => {
    const { authority } = await world.hub
    expect(await authority.need(idsOf(large))).toEqual(idsOf(large))
    await world.store({ ...large, pieces: [...large.pieces, ...small.pieces] })
    expect(await condemned(large)).toBe(0)
    expect(await authority.need(idsOf(large))).toEqual([])
  })

  test('[BG24] is not deleted when it was used, or named, since it was judged', async () => {
    pastKeep()
    const { index } = await world.hub
    const { id } = await packs.build(large.pieces)
    const remove = (isCurrent: boolean) =>
      index.sweeping.remove(SPACE, id, { keepMs: KEEP_MS, soleSinceMs: 0, isCurrent: () => isCurrent })
    expect(await remove(false)).toBe(false)
    await index.renew(SPACE, [large.pieces[0]!.id], 'read')
    expect(await remove(true)).toBe(false)
    pastLease()
    expect(await remove(true)).toBe(true)
    expect(await index.drop(SPACE, id, idsOf(large), async () => true), 'it is not lost').toBe(false)
    expect(await index.auditDue(SPACE)).toBeUndefined()
  })

  test('[BG23] and named again is not condemned after a power cut either', async () => {
    const { index } = await world.hub
    const { id } = await packs.build(large.pieces)
    for (const again of [
      () => index.renew(SPACE, idsOf(large), 'name'),
      () => index.sweeping.mark(SPACE, idsOf(large), 1, false),
      () => index.renewBlobs(SPACE, [id]),
    ]) {
      // Whatever condemned it is durable, as when that was long ago.
      await world.storage.batch([], { sync: true })
      await again()
      const after = world.storage.crash(0)
      const rows = await new BlobIndex(after, { nowMs: () => 0 }).rows(SPACE, idsOf(large))
      expect(rows.filter((row) => row?.condemnedMs !== 0)).toEqual([])
      pastLease()
      await index.sweeping.judge(SPACE, id, 10 ** 12, { keepMs: KEEP_MS, soleSinceMs: 0 })
      expect(await condemned(large)).toBe(large.pieces.length)
    }
  })

  test('[BG24] of a blob that is said to be stored is not condemned any more', async () => {
    const { authority } = await world.hub
    const pack = await packs.build(large.pieces)
    expect(await authority.grantPuts([{ id: pack.id, length: pack.bytes.length }])).toEqual([null])
    expect(await condemned(large)).toBe(0)
  })

  test('[BG24] and is named by an entry that arrives is not condemned any more', async () => {
    await world.write(2, large.content)
    expect(await condemned(large)).toBe(0)
    pastKeep()
    await world.pass()
    expect(await world.unreadable(idsOf(large))).toEqual([])
  })

  test('[BG24] and is marked by a later pass is not condemned any more', async () => {
    await world.write(2, large.content, {}, 'unseen')
    expect(await condemned(large)).toBe(large.pieces.length)
    pastKeep()
    await world.pass()
    expect(await condemned(large)).toBe(0)
    expect(await world.unreadable(idsOf(large))).toEqual([])
  })

  test('[BG27] stays while another hub uses the store, and from then on as long as anything does', async () => {
    world.soleSinceMs = undefined
    for (let i = 0; i < 3; i++) {
      pastKeep()
      expect(await world.pass()).toBeUndefined()
    }
    world.soleSinceMs = await (await world.hub).uptime.save()
    world.advance(KEEP_MS - 1_000)
    expect(await world.pass()).toMatchObject({ deletedBlobs: 0 })
    expect(await world.unreadable(idsOf(large))).toEqual([])
    pastLease()
    expect(await world.pass()).toMatchObject({ deletedBlobs: 1 })
  })

  test('[BG24] can be read until it is deleted, and is deleted no sooner than it was to be kept', async () => {
    world.advance(KEEP_MS - 1)
    expect(await world.pass()).toMatchObject({ deletedBlobs: 0 })
    world.advance(1)
    const [blob] = await world.blobs()
    expect(await world.pass()).toMatchObject({ deletedBlobs: 1, condemnedBytes: 0 })
    expect(await world.blobs()).toEqual([])
    expect(world.rows().filter((key) => key.includes(blob!) || key.includes('/c/'))).toEqual([])
  })

  test.each(['catchUp', 'receive'] as const)(
    '[BG25] named after it was deleted, %s, is asked for, and is there again once it came',
    async (way) => {
      pastKeep()
      await world.pass()
      expect(await world.blobs()).toEqual([])
      await world.write(2, large.content, {}, way)
      // In the middle of a session the bytes may be on their way: the next pass asks.
      if (way === 'receive') await world.pass()
      const { root, height, size } = large.content
      await expect.poll(() => world.wanted).toEqual([{ root, height, size }])
      await world.restart()
      await world.store(large)
      pastKeep()
      await world.pass()
      expect(await world.unreadable(idsOf(large))).toEqual([])
    },
  )
})

test('[BG25] what is gone below a root that is here is asked for by the entry that names it', async () => {
  const root = large.pieces.at(-1)!
  await world.store({ ...large, pieces: large.pieces.slice(0, -1) })
  pastLease()
  await world.pass()
  world.advance(KEEP_MS - 13 * HOUR)
  await world.store({ ...large, pieces: [root] })
  world.advance(13 * HOUR)
  expect(await world.pass()).toMatchObject({ deletedBlobs: 1 })
  await world.write(1, large.content)
  expect(world.wanted.map((version) => version.root)).toEqual([root.id])
})

test('[BG25] a small content that is not here is asked for after a pass', async () => {
  await world.write(1, small.content, {}, 'unseen')
  expect(await world.pass()).toMatchObject({ condemnedBytes: 0 })
  await expect.poll(() => world.wanted.map(({ root }) => root)).toEqual([small.content.root])
})

describe('a pack of which half is not needed', () => {
  let pieces: File[]
  beforeEach(async () => {
    pieces = await Promise.all(Array.from({ length: 10 }, () => fileOf(randomBytes(15_000))))
    await world.store({ content: small.content, pieces: pieces.flatMap((file) => file.pieces) })
    for (const [i, file] of pieces.entries()) await world.write(i, file.content)
    expect(await world.blobs()).toHaveLength(1)
  })

  test('[BG26] is rewritten; who was told a place in the old one reads there, and the old one is deleted later', async () => {
    for (let i = 0; i < 5; i++) await world.write(i, undefined)
    const [old] = await world.blobs()
    pastLease()
    await world.pass()
    expect(await world.blobs()).toEqual([old])
    await world.write(5, undefined)
    pastKeep()
    expect(await world.pass()).toMatchObject({ rewrittenBlobs: 1, deletedBlobs: 0 })
    expect(await condemned(pieces[5]!), 'it is moved, and stays condemned').toBe(1)
    expect(await world.blobs()).toHaveLength(2)
    world.advance(HOUR)
    expect(await world.pass()).toMatchObject({ rewrittenBlobs: 0, deletedBlobs: 0 })
    pastLease()
    expect(await world.pass()).toMatchObject({ deletedBlobs: 1 })
    expect(await world.blobs()).not.toContain(old)
    expect(await world.unreadable(idsOf(...pieces.slice(5)))).toEqual([])
    await expect((await world.hub).authority.need(idsOf(...pieces))).resolves.toEqual(
      idsOf(...pieces.slice(0, 6)),
    )
  })

  test('[BG26] less than half is left alone', async () => {
    for (let i = 0; i < 4; i++) await world.write(i, undefined)
    pastLease()
    await world.pass()
    pastKeep()
    expect(await world.pass()).toMatchObject({ rewrittenBlobs: 0 })
    expect(await world.blobs()).toHaveLength(1)
  })

  test('[BG26] of which a living chunk has rotted is left alone', async () => {
    for (let i = 0; i < 6; i++) await world.write(i, undefined)
    const { memory } = world
    const read = memory.read.bind(memory)
    memory.read = async (...args) => (await read(...args)).map((byte, i) => (i === 149_000 ? byte ^ 1 : byte))
    pastLease()
    await world.pass()
    pastKeep()
    expect(await world.pass()).toMatchObject({ rewrittenBlobs: 0, deletedBlobs: 0 })
    expect(await world.blobs()).toHaveLength(1)
  })
})

test('[BG24] a blob that only the store knows is indexed again, and goes like any other', async () => {
  const pack = await packs.build(small.pieces)
  await world.hub.then(({ authority }) => authority.need([]))
  await world.memory.put(SPACE, pack.id, pack.bytes)
  await world.pass()
  expect(await (await world.hub).authority.need(idsOf(small))).toEqual([])
  pastLease()
  await world.pass()
  pastKeep()
  expect(await world.pass()).toMatchObject({ deletedBlobs: 1 })
  expect(await world.blobs()).toEqual([])
})

test('a chunk in more blobs than a row has places for leaves none of them behind', async () => {
  const { authority } = await world.hub
  for (let i = 0; i < 12; i++) {
    const pack = await packs.build([...small.pieces, ...(await fileOf(randomBytes(10 + i))).pieces])
    await world.memory.put(SPACE, pack.id, pack.bytes)
    await authority.stored([pack.id])
  }
  pastLease()
  await world.pass()
  for (let i = 0; i < 3; i++) {
    pastKeep()
    await world.pass()
  }
  expect(await world.blobs()).toEqual([])
  expect(world.rows()).toEqual([])
})

test('[BG24] a blob that is being deleted is not found: whoever asks is told to send it', async () => {
  await committed(1, large)
  await world.write(1, undefined)
  pastLease()
  await world.pass()
  pastKeep()
  const { authority, sweep } = await world.hub
  const { id, bytes } = await packs.build(large.pieces)
  const { memory } = world
  const remove = memory.delete.bind(memory)
  let granted: Promise<readonly unknown[]> | undefined
  memory.delete = async (...args) => {
    granted = authority.grantPuts([{ id, length: bytes.length }])
    await new Promise((done) => setTimeout(done, 20))
    await remove(...args)
  }
  expect(await sweep()).toMatchObject({ deletedBlobs: 1 })
  expect(await granted).toEqual([expect.objectContaining({ method: 'PUT' })])
  expect(await world.missing()).toEqual([])
})

test('rows from before there were times are read, and their blobs are swept', async () => {
  await committed(1, small)
  await committed(2, large)
  await world.write(2, undefined)
  const { storage } = world
  for (const [key, value] of storage.entries({ gte: 'blob-index/', lt: 'blob-index/~' })) {
    const [, kind] = key.split('/')
    if (kind === 'c') await storage.batch([{ type: 'put', key, value: value.subarray(18) }], { sync: true })
    if (kind === 'b') await storage.batch([{ type: 'put', key, value: Uint8Array.of(1) }], { sync: true })
    if (kind === 'p') await storage.batch([{ type: 'del', key }], { sync: true })
  }
  await world.restart()
  expect(await world.unreadable(idsOf(small, large))).toEqual([])
  for (let i = 0; i < 4; i++) {
    pastKeep()
    await world.pass()
  }
  expect(await world.blobs()).toHaveLength(1)
  expect(await world.unreadable(idsOf(small))).toEqual([])
})
