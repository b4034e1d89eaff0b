import { createHash } from 'node:crypto'
import { appendFile, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BlobId, parseSpaceName } from '@tidemark/protocol'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
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
afterEach(() => rm(directory, { recursive: true }))

async function withStore<T>(act: (store: LogBlobStore) => Promise<T>): Promise<T> {
  const store = await LogBlobStore.open(file)
  try {
    return await act(store)
  } finally {
    await store.close()
  }
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

  test('a file that is damaged far before its end is refused, and left as it is', async () => {
    await put(BYTES)
    await appendFile(file, new Uint8Array(18 * 1024 * 1024))
    const { size } = await stat(file)
    await expect(LogBlobStore.open(file)).rejects.toThrow('damaged')
    expect((await stat(file)).size).toBe(size)
  })
})
