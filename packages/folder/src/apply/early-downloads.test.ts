import * as fs from 'node:fs'
import { join } from 'node:path'
import type { PlacedChunk, SpaceBinding, UploadHint, Version } from '@tidemark/engine'
import type { ChunkId, UploadId } from '@tidemark/protocol'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { nodeFileSystem } from '../adapters/node-file-system.js'
import type { ApplyContext } from '../apply-context.js'
import type { FileSystem } from '../ports/file-system.js'
import { Downloads } from './downloads.js'
import { EarlyDownloads } from './early-downloads.js'
import { StagingArea } from './staging.js'
import { World } from './testing/world.js'

const ROOT = 'ab'.repeat(32) as ChunkId
const VERSION = { root: ROOT, height: 1, size: 20 } as Version
const UPLOAD = '0123456789abcdef' as UploadId
const BYTES = 'abcdefghijklmnopqrst'
const idOf = (letters: string): ChunkId =>
  Buffer.from(letters.padEnd(32)).toString('hex') as unknown as ChunkId

let world: World
let nowMs: number
/** Chunks, by their letters, that the hub does not have. */
let lacking: Set<string>
/** The hub does not answer while it is set. */
let isAway: boolean
let early: EarlyDownloads
/** Fetches that have not come to their end. */
let underWay = 0
beforeEach(() => {
  world = new World()
  nowMs = 0
  lacking = new Set()
  isAway = false
  begin()
})
afterEach(async () => {
  await early.close()
  fs.rmSync(world.directory, { recursive: true, force: true })
})

const fetchChunks: SpaceBinding['fetchChunks'] = async (...args) => {
  underWay += 1
  try {
    return await fetchFromHub(...args)
  } finally {
    underWay -= 1
  }
}

const fetchFromHub: SpaceBinding['fetchChunks'] = async (chunks, sink, { signal }) => {
  const came: PlacedChunk[] = []
  for (const chunk of chunks) {
    signal.throwIfAborted()
    if (isAway) throw new Error('away')
    const letters = Buffer.from(chunk.id, 'hex').toString().trim()
    if (lacking.has(letters)) continue
    await sink.write(chunk.offset, Buffer.from(letters))
    came.push(chunk)
  }
  return came
}

function context(files: FileSystem = nodeFileSystem): ApplyContext {
  const ctx = world.ctx(files)
  return { ...ctx, space: { ...ctx.space, fetchChunks } }
}

function begin(files?: FileSystem): void {
  early = new EarlyDownloads(context(files), () => nowMs)
}

/** The letters from `offset` on, in chunks of five. */
function part(offset: number, length: number, more: Partial<UploadHint> = {}): UploadHint {
  const chunks = Array.from({ length: length / 5 }, (_, i) => {
    const from = offset + 5 * i
    return { id: idOf(BYTES.slice(from, from + 5)), length: 5 }
  })
  return { upload: UPLOAD, size: BYTES.length, offset, chunks, ...more }
}

const staged = (): string[] => fs.readdirSync(world.ctx(nodeFileSystem).staging)

/** What the download of the version asks the hub for, by offset, and the file that it leaves. */
async function download(): Promise<{ asked: number[]; bytes: string }> {
  const asked: number[] = []
  const fetch: SpaceBinding['fetch'] = async (_version, sink) => {
    for (let offset = 0; offset < BYTES.length; offset += 5) {
      const letters = BYTES.slice(offset, offset + 5)
      if (sink.has?.({ id: idOf(letters), offset, length: 5 })) continue
      const left = await sink.read?.(offset, 5)
      if (left && Buffer.from(left).toString() === letters) continue
      asked.push(offset)
      await sink.write(offset, Buffer.from(letters))
    }
  }
  const ctx = context()
  const working = { ...ctx, space: { ...ctx.space, fetch } }
  const downloads = new Downloads(undefined, early)
  const area = new StagingArea(nodeFileSystem, ctx.staging, () => world.nowMs)
  downloads.ask(working, area, VERSION)
  await downloads.next()
  expect(downloads.ask(working, area, VERSION)).toEqual({ state: 'complete' })
  return { asked, bytes: fs.readFileSync(area.partPath(ROOT), 'utf8') }
}

/** Until nothing is being fetched, and nothing begins. */
async function settled(): Promise<void> {
  for (let quiet = 0; quiet < 5; quiet++) {
    await new Promise((resolve) => setTimeout(resolve, 1))
    if (underWay > 0) quiet = 0
  }
}

test('[TR6] what came before the entry is not fetched again, in whatever order its parts came', async () => {
  early.hint(part(10, 10))
  early.hint(part(0, 10))
  early.hint({ ...part(0, 0), root: ROOT })
  await settled()
  expect(await download()).toEqual({ asked: [], bytes: BYTES })
  expect(staged()).toEqual([`part-${ROOT}`])
})

test('[TR6] what did not come in time, or not at all, comes with the download', async () => {
  lacking.add('fghij')
  early.hint(part(0, 15))
  await settled()
  isAway = true
  early.hint(part(15, 5, { root: ROOT }))
  await settled()
  expect(await download()).toEqual({ asked: [5, 15], bytes: BYTES })
})

test('[TR6] a file of another root, or size, is not taken for it', async () => {
  early.hint(part(0, 20, { root: 'cd'.repeat(32) as ChunkId }))
  early.hint(part(0, 20, { upload: 'f'.repeat(16) as UploadId, size: 21, root: ROOT }))
  await settled()
  expect((await download()).asked).toEqual([0, 5, 10, 15])
})

test('[TR6] a hint that says another size than before is no part of the file', async () => {
  early.hint(part(0, 10))
  early.hint(part(10, 10, { size: 30, root: ROOT }))
  await settled()
  expect((await download()).asked).toEqual([0, 5, 10, 15])
})

test('[TR6] what is said to overlap what came is not written over it', async () => {
  early.hint(part(0, 10))
  await settled()
  early.hint({ ...part(0, 10), offset: 3 })
  early.hint({ ...part(15, 5), offset: 9 })
  early.hint(part(10, 10, { root: ROOT }))
  await settled()
  expect(await download()).toEqual({ asked: [], bytes: BYTES })
})

test('[TR6] a part that an earlier attempt left stays, and the early one goes', async () => {
  const { staging } = context()
  fs.writeFileSync(join(staging, `part-${ROOT}`), BYTES.slice(0, 10))
  early.hint(part(0, 20, { root: ROOT }))
  await settled()
  expect(await download()).toEqual({ asked: [10, 15], bytes: BYTES })
  expect(staged()).toEqual([`part-${ROOT}`])
})

test('[TR6] staging that was cleared meanwhile costs what came, and nothing else', async () => {
  early.hint(part(0, 20, { root: ROOT }))
  await settled()
  for (const name of staged()) fs.unlinkSync(join(context().staging, name))
  expect(await download()).toEqual({ asked: [0, 5, 10, 15], bytes: BYTES })
})

test('[TR6] at most two files come early; nothing of the others is on disk', async () => {
  for (const digit of ['1', '2', '3']) early.hint(part(0, 5, { upload: digit.repeat(16) as UploadId }))
  await settled()
  expect(staged()).toHaveLength(2)
})

test('[TR6] what nobody speaks of for ten minutes is removed', async () => {
  early.hint(part(0, 5))
  await settled()
  nowMs = 599_999
  early.prune()
  await settled()
  expect(staged()).toHaveLength(1)
  nowMs = 600_000
  early.prune()
  await expect.poll(staged).toEqual([])
})

test('[TR6] nothing comes early where there is no room, or the disk refuses', async () => {
  const room = { freeBytes: 64 * 1024 * 1024, totalBytes: 2 ** 40 }
  begin({ ...nodeFileSystem, room: () => room })
  early.hint(part(0, 5))
  begin({
    ...nodeFileSystem,
    open: () => {
      throw Object.assign(new Error('no'), { code: 'EACCES' })
    },
  })
  early.hint(part(0, 5))
  await settled()
  expect(staged()).toEqual([])
})

test('[TR6] staging that is gone, as with a disk that was unplugged, is no failure', async () => {
  fs.rmSync(context().staging, { recursive: true })
  expect(() => early.hint(part(0, 5))).not.toThrow()
})

test('[TR6] two files together take no more than the room', async () => {
  const MIB = 1024 * 1024
  begin({ ...nodeFileSystem, room: () => ({ freeBytes: 164 * MIB, totalBytes: 2 ** 40 }) })
  for (const digit of ['1', '2']) {
    early.hint(part(0, 5, { upload: digit.repeat(16) as UploadId, size: 60 * MIB }))
  }
  await settled()
  expect(staged()).toHaveLength(1)
})

test('[TR6] to say again what was said, or nothing, keeps no file', async () => {
  early.hint(part(0, 5))
  await settled()
  nowMs = 599_999
  early.hint(part(0, 5))
  early.hint(part(0, 0))
  early.prune()
  await settled()
  expect(staged()).toHaveLength(1)
  nowMs = 600_000
  early.prune()
  await expect.poll(staged).toEqual([])
})

test('[TR6] what comes keeps a file, for a day at most', async () => {
  // Each five minutes another part.
  for (let n = 0; n < 24 * 12; n++) {
    early.hint({ ...part(0, 5, { size: 5_000 }), offset: 5 * n })
    await settled()
    early.prune()
    expect(staged()).toHaveLength(1)
    nowMs += 300_000
  }
  early.prune()
  await expect.poll(staged).toEqual([])
})

test('[TR6] a disk that refuses the close ends no process', async () => {
  const unhandled: unknown[] = []
  const onUnhandled = (error: unknown) => void unhandled.push(error)
  process.on('unhandledRejection', onUnhandled)
  const open: FileSystem['open'] = (...args) => {
    const file = nodeFileSystem.open(...args)
    const close = file.close.bind(file)
    file.close = async () => {
      await close()
      throw Object.assign(new Error('EIO'), { code: 'EIO' })
    }
    return file
  }
  begin({ ...nodeFileSystem, open })
  early.hint(part(0, 20, { root: ROOT }))
  early.hint(part(0, 5, { upload: '1'.repeat(16) as UploadId }))
  await settled()
  expect(await early.take(VERSION)).toBeUndefined()
  nowMs = 700_000
  early.prune()
  await settled()
  process.off('unhandledRejection', onUnhandled)
  expect(unhandled).toEqual([])
})

test('[TR6] a full disk gets its room back at once', async () => {
  const open: FileSystem['open'] = (...args) => {
    const file = nodeFileSystem.open(...args)
    file.write = async () => {
      throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
    }
    return file
  }
  begin({ ...nodeFileSystem, open })
  early.hint(part(0, 20))
  await expect.poll(staged).toEqual([])
})

test('[TR6] a file with holes is not taken for one that is there: room is asked for what is to come', async () => {
  let freeBytes = 2 ** 30
  begin()
  const ctx = context({ ...nodeFileSystem, room: () => ({ freeBytes, totalBytes: 2 ** 40 }) })
  const size = 100 * 1024 * 1024
  early.hint({ ...part(15, 5, { size, root: ROOT }), offset: size - 5 })
  await settled()
  // Something else has filled the disk.
  freeBytes = 64 * 1024 * 1024 + 4096
  const downloads = new Downloads(undefined, early)
  const area = new StagingArea(nodeFileSystem, ctx.staging, () => world.nowMs)
  const version = { ...VERSION, size }
  downloads.ask(ctx, area, version)
  await downloads.next()
  expect(downloads.ask(ctx, area, version)).toEqual({ state: 'no-space' })
})

test('[TR6] nothing is left when it is closed, and nothing begins after', async () => {
  early.hint(part(0, 20))
  await early.close()
  early.hint(part(0, 20))
  await settled()
  expect(staged()).toEqual([])
})
