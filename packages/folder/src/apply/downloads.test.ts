import * as fs from 'node:fs'
import type { SpaceBinding, Version } from '@tidemark/engine'
import { afterEach, expect, test } from 'vitest'
import { nodeFileSystem } from '../adapters/node-file-system.js'
import type { ApplyContext } from '../apply-context.js'
import type { FileSystem } from '../ports/file-system.js'
import { Downloads } from './downloads.js'
import { StagingArea } from './staging.js'
import { World } from './testing/world.js'

const VERSION = { root: 'ab'.repeat(32), height: 1, size: 20 } as unknown as Version

let world: World
afterEach(() => fs.rmSync(world.directory, { recursive: true, force: true }))

/** Reads of the disk are counted, and permissions hold for whoever runs the tests. */
function countedFiles(): { files: FileSystem; reads: () => number } {
  let reads = 0
  const files: FileSystem = {
    ...nodeFileSystem,
    open(...args) {
      const [path, flags] = args
      if (flags === 'rw' && ((nodeFileSystem.lstat(path)?.mode ?? 0o600) & 0o600) !== 0o600)
        throw Object.assign(new Error('no'), { code: 'EACCES' })
      const file = nodeFileSystem.open(...args)
      const read = file.read.bind(file)
      file.read = (...place) => {
        reads++
        return read(...place)
      }
      return file
    },
  }
  return { files, reads: () => reads }
}

async function download(
  left: string,
  { mode = 0o644, nlink }: { readonly mode?: number; readonly nlink?: number } = {},
): Promise<{ found: (string | undefined)[]; reads: number }> {
  world = new World()
  const { files: counted, reads } = countedFiles()
  const files: FileSystem = {
    ...counted,
    lstat(path) {
      const stat = counted.lstat(path)
      return stat && { ...stat, nlink: nlink ?? stat.nlink }
    },
  }
  const ctx: ApplyContext = world.ctx(files)
  const area = new StagingArea(files, ctx.staging, () => world.nowMs)
  const path = area.partPath(VERSION.root)
  if (left) fs.writeFileSync(path, left, { mode })
  const found: (string | undefined)[] = []
  const fetch: SpaceBinding['fetch'] = async (_version, sink) => {
    await sink.write(15, Buffer.from('pqrst'))
    for (const [offset, length] of [
      [0, 5],
      [5, 5],
      [8, 5],
      [15, 5],
    ] as const) {
      const bytes = await sink.read?.(offset, length)
      found.push(bytes && Buffer.from(bytes).toString())
    }
    await sink.write(0, Buffer.from('abcdefghijklmno'))
  }
  const downloads = new Downloads()
  const working = { ...ctx, space: { ...ctx.space, fetch } }
  expect(downloads.ask(working, area, VERSION)).toEqual({ state: 'running' })
  await downloads.next()
  expect(downloads.ask(working, area, VERSION)).toEqual({ state: 'complete' })
  expect(fs.readFileSync(path, 'utf8')).toBe('abcdefghijklmnopqrst')
  return { found, reads: reads() }
}

test('what an earlier attempt left is found, whole chunks of it', async () => {
  expect(await download('abcdefghij')).toEqual({ found: ['abcde', 'fghij', undefined, undefined], reads: 2 })
})

test('a part that was just made is not read', async () => {
  expect(await download('')).toEqual({ found: [undefined, undefined, undefined, undefined], reads: 0 })
})

test.each([
  ['0444', 0o444],
  ['0111', 0o111],
])('a part that was to take the place of a file with mode %s is continued', async (_, mode) => {
  expect((await download('abcdefghij', { mode })).found).toEqual(['abcde', 'fghij', undefined, undefined])
})

test('where a disk counts no links of a file, what is complete is not fetched once more', async () => {
  expect(await download('', { nlink: 0 })).toMatchObject({ reads: 0 })
})
