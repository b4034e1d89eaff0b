import { createHash } from 'node:crypto'
import { appendFile, mkdtemp, open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BlobId, parseSpaceName } from '@tidemark/protocol'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { LogBlobStore } from '../src/log-blob-store.js'

const SPACE = parseSpaceName('space')
const BYTES = new Uint8Array(1_000).fill(7)

const idOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex') as BlobId

let directory: string
let file: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemark-log-'))
  file = join(directory, 'blobs')
})
afterEach(async () => {
  vi.restoreAllMocks()
  await rm(directory, { recursive: true })
})

async function withStore<T>(act: (store: LogBlobStore) => Promise<T>): Promise<T> {
  const store = await LogBlobStore.open(file)
  try {
    return await act(store)
  } finally {
    await store.close()
  }
}

type Call = (buffer: Uint8Array, at: number, length: number, offset: number) => Promise<unknown>

/** From here on one call of the system takes, or gives, at most so many bytes; the second call of `write` may fail. */
async function callsOf(bytesMax: number, { isFull = false } = {}): Promise<void> {
  const probe = await open(file, 'a')
  const calls = Object.getPrototypeOf(probe) as { read: Call; write: Call }
  await probe.close()
  const { read, write } = calls
  vi.spyOn(calls, 'read').mockImplementation(function (this: unknown, buffer, at, length, offset) {
    return read.call(this, buffer, at, Math.min(length, bytesMax), offset)
  })
  let writes = 0
  vi.spyOn(calls, 'write').mockImplementation(async function (this: unknown, buffer, at, length, offset) {
    if (isFull && ++writes > 1) throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
    return write.call(this, buffer, at, Math.min(length, bytesMax), offset)
  })
}

const put = (bytes: Uint8Array) => withStore((store) => store.put(SPACE, idOf(bytes), bytes))
const has = (bytes: Uint8Array) =>
  withStore(async (store) => (await store.stat(SPACE, idOf(bytes))) !== undefined)

describe('a blob store in one file', () => {
  test('a blob that a crash cut off anywhere is gone, those before it stay, and others can follow', async () => {
    await put(BYTES)
    const { size } = await stat(file)
    const second = new Uint8Array(300).fill(8)
    await put(second)
    const whole = await readFile(file)
    for (const length of [size + 1, size + 100, size + 132, whole.length - 1]) {
      await writeFile(file, whole)
      await truncate(file, length)
      expect([await has(BYTES), await has(second)]).toEqual([true, false])
      await put(second)
      expect(await has(second)).toBe(true)
    }
  })

  test('a last blob whose bytes did not reach the disk is gone', async () => {
    await put(BYTES)
    const whole = await readFile(file)
    await writeFile(file, whole.fill(0, whole.length - 10))
    expect(await has(BYTES)).toBe(false)
  })

  test('a system that takes and gives little at a time stores and reads all of it', async () => {
    await callsOf(100)
    await withStore(async (store) => {
      await store.put(SPACE, idOf(BYTES), BYTES)
      const bytes = await store.read(SPACE, idOf(BYTES), { offset: 0, length: BYTES.length })
      expect(Buffer.compare(bytes, BYTES)).toBe(0)
    })
    expect(await has(BYTES)).toBe(true)
    vi.restoreAllMocks()
    expect((await readFile(file)).subarray(-BYTES.length)).toEqual(Buffer.from(BYTES))
  })

  test('a blob that a full disk took in part is not acknowledged, and can follow later', async () => {
    await withStore(async (store) => {
      await callsOf(500, { isFull: true })
      await expect(store.put(SPACE, idOf(BYTES), BYTES)).rejects.toThrow('no space')
      expect(await store.stat(SPACE, idOf(BYTES))).toBeUndefined()
      vi.restoreAllMocks()
      await store.put(SPACE, idOf(BYTES), BYTES)
    })
    expect(await has(BYTES)).toBe(true)
  })

  test('a file that was cut off behind the back of the store gives no shorter bytes', async () => {
    await withStore(async (store) => {
      await store.put(SPACE, idOf(BYTES), BYTES)
      await truncate(file, 500)
      await expect(store.read(SPACE, idOf(BYTES), { offset: 0, length: BYTES.length })).rejects.toThrow(
        'ends',
      )
    })
  })

  test('a file that is damaged far before its end is refused, and left as it is', async () => {
    await put(BYTES)
    await appendFile(file, new Uint8Array(18 * 1024 * 1024))
    const { size } = await stat(file)
    await expect(LogBlobStore.open(file)).rejects.toThrow('damaged')
    expect((await stat(file)).size).toBe(size)
  })
})
