import { execFileSync } from 'node:child_process'
import { appendFile, mkdir, mkdtemp, open, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SourceChangedError } from '@tidemark/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { seededBytes } from '../../test/bytes.js'
import { chunkSource } from '../chunking/chunk-source.js'
import { nodeHasher } from './node-hasher.js'
import { pathByteSource } from './path-byte-source.js'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemark-source-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

async function file(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(directory, name)
  await writeFile(path, bytes)
  // Old enough that the next write changes the times, however coarse they are.
  await utimes(path, 1_000, 1_000)
  return path
}

test('reads exact ranges, short ones and long ones', async () => {
  const bytes = seededBytes(1, 700_000)
  const source = await pathByteSource(await file('a', bytes))
  expect(source.size).toBe(700_000)
  for (const [offset, length] of [
    [0, 700_000],
    [3, 10],
    [699_999, 1],
    [700_000, 0],
  ] as const) {
    expect(
      Buffer.from(bytes.subarray(offset, offset + length)).equals(await source.read(offset, length)),
    ).toBe(true)
  }
  await expect(source.read(1, 700_000)).rejects.toBeInstanceOf(RangeError)
  await source.close()
  await source.close()
  await expect(source.read(0, 1)).rejects.toBeInstanceOf(TypeError)
})

test('a close while reads run lets them end', async () => {
  const source = await pathByteSource(await file('closing', seededBytes(1, 2_000_000)))
  const reads = [source.read(0, 1_000_000), source.read(1_000_000, 1_000_000)]
  await source.close()
  expect((await Promise.all(reads)).map(({ length }) => length)).toEqual([1_000_000, 1_000_000])
})

test.each([
  ['appended to', (path: string) => appendFile(path, 'x')],
  ['cut off', async (path: string) => (await open(path, 'r+')).truncate(5)],
  [
    'overwritten at equal length',
    async (path: string) => void (await (await open(path, 'r+')).write('y', 7)),
  ],
  ['replaced by another', async (path: string) => rename(await file('other', seededBytes(2, 300_000)), path)],
])('[FB11] a file that was %s is a SourceChangedError at the next read', async (_, change) => {
  const path = await file('changing', seededBytes(1, 300_000))
  const source = await pathByteSource(path)
  await source.read(0, 10)
  await change(path)
  await expect(source.read(0, 10)).rejects.toBeInstanceOf(SourceChangedError)
  await expect(chunkSource(source, { hasher: nodeHasher })).rejects.toBeInstanceOf(SourceChangedError)
  await source.close()
})

test('what is no regular file is a SourceChangedError, and nothing blocks or is followed', async () => {
  const target = await file('target', seededBytes(1, 10))
  await symlink(target, join(directory, 'link'))
  await mkdir(join(directory, 'directory'))
  execFileSync('mkfifo', [join(directory, 'fifo')])
  for (const name of ['missing', 'link', 'directory', 'fifo', 'target/below']) {
    await expect(pathByteSource(join(directory, name))).rejects.toBeInstanceOf(SourceChangedError)
  }
})
