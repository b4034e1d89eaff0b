import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ByteSource, ChunkedFile } from '@tidemark/engine'
import type { ChunkId } from '@tidemark/protocol'
import { afterEach, expect, test } from 'vitest'
import { nodeFileSystem } from '../adapters/node-file-system.js'
import type { FileStat, FileSystem } from '../ports/file-system.js'
import { openSource, readContent } from './read-content.js'

const directories: string[] = []
afterEach(() => {
  for (const directory of directories.splice(0)) fs.rmSync(directory, { recursive: true, force: true })
})

/** Reads a file that `meddle` changes while it is being chunked. */
async function readWhile(size: number, meddle: (path: string) => void) {
  const directory = fs.mkdtempSync(join(tmpdir(), 'tidemark-read-'))
  directories.push(directory)
  const path = join(directory, 'f')
  fs.writeFileSync(path, Buffer.alloc(size, 'a'))
  const chunk = async (source: ByteSource): Promise<ChunkedFile> => {
    const hash = createHash('sha256')
    const step = 64 * 1024
    for (let at = 0; at < source.size; at += step) {
      hash.update(await source.read(at, Math.min(step, source.size - at)))
      if (at === 0) meddle(path)
    }
    const root = hash.digest('hex') as ChunkId
    const chunks = { count: 0, ids: new Uint8Array(), lengths: new Uint32Array() }
    return { root, height: 0, size: source.size, chunks, manifest: [] }
  }
  const signal = new AbortController().signal
  const options = { files: nodeFileSystem, space: { chunk }, clock: { nowMs: Date.now }, path, signal }
  return readContent(options, nodeFileSystem.lstat(path)!)
}

const SIZES = [1_000, 1_000_000]

test.each(SIZES)('a file of %i bytes that stays as it is has one content', async (size) => {
  const { stat, content, isRacy } = await readWhile(size, () => undefined)
  expect(content).toMatchObject({
    size,
    root: createHash('sha256').update(Buffer.alloc(size, 'a')).digest('hex'),
  })
  expect(stat.size).toBe(size)
  // It was written a moment ago.
  expect(isRacy).toBe(true)
})

test.each(SIZES)('a file of %i bytes that is written while it is read is refused', async (size) => {
  const write = (path: string) => fs.writeFileSync(path, Buffer.alloc(size, 'b'))
  await expect(readWhile(size, write)).rejects.toMatchObject({ code: 'SOURCE_CHANGED' })
})

test.each(SIZES)('a file of %i bytes that is replaced while it is read is refused', async (size) => {
  const replace = (path: string) => {
    fs.writeFileSync(`${path}.new`, Buffer.alloc(size, 'b'))
    fs.renameSync(`${path}.new`, path)
  }
  await expect(readWhile(size, replace)).rejects.toMatchObject({ code: 'SOURCE_CHANGED' })
})

test.each(SIZES)('a file of %i bytes that becomes a symlink while it is read is refused', async (size) => {
  const link = (path: string) => {
    fs.renameSync(path, `${path}.old`)
    fs.symlinkSync('f.old', path)
  }
  await expect(readWhile(size, link)).rejects.toMatchObject({ code: 'SOURCE_CHANGED' })
})

test('a symlink whose target is empty, as a damaged disk may have it, cannot be carried', async () => {
  const stat: FileStat = { ...nodeFileSystem.lstat('/')!, kind: 'symlink' }
  const files: FileSystem = { ...nodeFileSystem, lstat: () => stat, readlink: () => new Uint8Array() }
  const chunk = () => Promise.reject(new Error('it is not stored'))
  const signal = new AbortController().signal
  const options = { files, space: { chunk }, clock: { nowMs: Date.now }, path: '/l', signal }
  await expect(readContent(options, stat)).rejects.toMatchObject({ code: 'SYMLINK_TARGET', message: 'empty' })
})

test('a file that cannot be looked at once it is open is closed', () => {
  const directory = fs.mkdtempSync(join(tmpdir(), 'tidemark-read-'))
  directories.push(directory)
  fs.writeFileSync(join(directory, 'f'), 'bytes')
  let isClosed = false
  const files: FileSystem = {
    ...nodeFileSystem,
    open: (...args) => {
      const file = nodeFileSystem.open(...args)
      const close = file.close.bind(file)
      return Object.assign(file, {
        stat: () => {
          throw Object.assign(new Error('EIO'), { code: 'EIO' })
        },
        close: () => {
          isClosed = true
          return close()
        },
      })
    },
  }
  expect(() => openSource(files, join(directory, 'f'))).toThrow('EIO')
  expect(isClosed).toBe(true)
})
