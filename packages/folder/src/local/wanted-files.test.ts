import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { ByteSource, Upload } from '@tidemark/engine'
import { AccessError, StoreError } from '@tidemark/protocol'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { nodeFileSystem } from '../adapters/node-file-system.js'
import type { FileStat, FileSystem } from '../ports/file-system.js'
import type { PushContext } from './push-context.js'
import { WantedFiles } from './wanted-files.js'

const rootOf = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex')

let trash: string
beforeEach(() => {
  trash = fs.mkdtempSync(join(tmpdir(), 'tidemark-wanted-'))
  fs.mkdirSync(join(trash, '1-0'))
})
afterEach(() => fs.rmSync(trash, { recursive: true, force: true }))

/** A hub that wants these, of a device that has nothing but its trash. */
class Asked {
  readonly stored: string[] = []
  readonly problems: unknown[] = []
  beforeStore: () => void = () => {}
  /** What the rows say. */
  readonly rows: { readonly root: string; readonly size: number; readonly path: string | undefined }[] = []
  readonly wanted: WantedFiles

  /** @param wants Sizes, by root. */
  constructor(
    readonly wants: Map<string, number>,
    files: FileSystem = nodeFileSystem,
  ) {
    const { rows } = this
    const context = {
      files,
      directory: trash,
      clock: { nowMs: () => 0 },
      rows: {
        all: async function* (this: void) {
          yield rows.map(({ root, size, path }) => ({
            path,
            entry: { kind: 'file', version: { root, size } },
          }))
        },
        localPathOf: async ({ path }: { readonly path: string | undefined }) => path,
      },
      problems: { set: (_: string, list: unknown[]) => this.problems.splice(0, Infinity, ...list) },
      onEvent: () => undefined,
      space: {
        chunk: async (source: ByteSource) => {
          const bytes = await source.read(0, source.size)
          return { root: rootOf(bytes), height: 0, size: source.size }
        },
        ensureStored: (uploads: readonly Upload[]) => this.#store(uploads),
        wanted: {
          isEmpty: async () => wants.size === 0,
          among: async (roots: readonly string[]) => new Set(roots.filter((root) => wants.has(root))),
          async *all() {
            yield [...wants].map(([root, size]) => ({ root, size }))
          },
          settle: async (roots: Iterable<string>) => {
            for (const root of roots) wants.delete(root)
          },
          clear: async () => wants.clear(),
        },
      },
    }
    this.wanted = new WantedFiles(
      context as unknown as PushContext,
      trash,
      () => 0,
      () => {},
    )
  }

  async #store(uploads: readonly Upload[]): Promise<void> {
    this.beforeStore()
    for (const { open, file } of uploads) {
      const source = await open()
      await source.read(0, source.size)
      await source.close()
      this.stored.push(file.root)
    }
  }

  async answer(): Promise<void> {
    this.wanted.wake()
    while (this.wanted.isBusy) await new Promise((resolve) => setImmediate(resolve))
  }
}

const put = (path: string, bytes: Uint8Array | string): [string, number] => {
  fs.mkdirSync(join(trash, path, '..'), { recursive: true })
  fs.writeFileSync(join(trash, path), bytes)
  return [rootOf(bytes), bytes.length]
}

/** @returns what counts its reads. */
function counting(): { readonly files: FileSystem; reads: number } {
  const counts = { files: nodeFileSystem, reads: 0 }
  counts.files = {
    ...nodeFileSystem,
    readFile: (path) => {
      counts.reads++
      return nodeFileSystem.readFile(path)
    },
  }
  return counts
}

test('[BG22] of the files of one size in the trash none is read once what is wanted was found', async () => {
  for (let i = 0; i < 50; i++) put(`1-0/f${i}`, `version ${100 + i}`)
  const first = fs.readFileSync(join(trash, '1-0', fs.readdirSync(join(trash, '1-0'))[0]!))
  const counts = counting()
  const hub = new Asked(new Map([[rootOf(first), first.length]]), counts.files)
  await hub.answer()
  expect([hub.stored, counts.reads]).toEqual([[rootOf(first)], 1])
})

test('[BG22] what is not in the trash is read for once, however often it is asked for', async () => {
  for (let i = 0; i < 50; i++) put(`1-0/f${i}`, `version ${100 + i}`)
  const counts = counting()
  const hub = new Asked(new Map(), counts.files)
  for (let i = 0; i < 5; i++) {
    hub.wants.set('0'.repeat(64), 11)
    await hub.answer()
  }
  expect(counts.reads).toBe(50)
})

test.each([
  ['goes', () => fs.rmSync(join(trash, '1-0'), { recursive: true, force: true })],
  ['changes', () => fs.existsSync(join(trash, '1-0/a')) && fs.appendFileSync(join(trash, '1-0/a'), 'x')],
])('[BG22] a file that %s before it is stored does not keep the others from it', async (_, happens) => {
  const [a, b] = [put('1-0/a', Buffer.alloc(300_000, 1)), put('2-0/b', Buffer.alloc(300_000, 2))]
  const hub = new Asked(new Map([a, b]))
  hub.beforeStore = happens
  await hub.answer()
  expect([hub.stored, hub.problems]).toEqual([[b[0]], []])
})

test('[BG22] what a store refuses is a problem, stays wanted, and is tried again', async () => {
  const hub = new Asked(new Map([put('1-0/a', 'bytes')]))
  hub.beforeStore = () => {
    throw new StoreError('not now')
  }
  await hub.answer()
  expect(hub.problems).toMatchObject([{ cause: 'hub-lacks-bytes' }])
  expect([hub.wants.size, hub.wanted.dueInMs()]).toEqual([1, 1_000])
  hub.beforeStore = () => {}
  await hub.answer()
  expect([hub.stored.length, hub.problems, hub.wanted.dueInMs()]).toEqual([1, [], undefined])
})

test('[BG22] what the hub refuses is offered again every ten minutes', async () => {
  const hub = new Asked(new Map([put('1-0/a', 'bytes')]))
  hub.beforeStore = () => {
    throw new AccessError('FORBIDDEN', 'quota')
  }
  for (let i = 0; i < 2; i++) {
    await hub.answer()
    expect(hub.problems).toMatchObject([{ cause: 'hub-lacks-bytes' }])
    expect([hub.wants.size, hub.wanted.dueInMs()]).toEqual([1, 600_000])
  }
  hub.beforeStore = () => {}
  await hub.answer()
  expect([hub.stored.length, hub.problems, hub.wanted.dueInMs()]).toEqual([1, [], undefined])
})

test('[BG22] what failed for a moment is tried again soon, though the hub refuses something else', async () => {
  const wants = new Map(Array.from({ length: 257 }, (_, i) => put(`1-0/f${i}`, `version ${100 + i}`)))
  const hub = new Asked(wants)
  const errors = [new AccessError('FORBIDDEN', 'quota'), new StoreError('not now')]
  hub.beforeStore = () => {
    const error = errors.shift()
    if (error) throw error
  }
  await hub.answer()
  expect([errors.length, hub.wants.size, hub.wanted.dueInMs()]).toEqual([0, 257, 1_000])
  await hub.answer()
  expect([hub.stored.length, hub.wants.size, hub.wanted.dueInMs()]).toEqual([257, 0, undefined])
})

test('[BG22] what a row names that leads nowhere at the moment stays wanted until it leads somewhere', async () => {
  const [root, size] = put('d/moved', 'bytes')
  fs.renameSync(join(trash, 'd'), join(trash, '..', `${basename(trash)}-lifted`))
  try {
    const hub = new Asked(new Map([[root, size]]))
    hub.rows.push({ root, size, path: undefined })
    await hub.answer()
    expect([hub.stored, hub.wants.size, hub.wanted.dueInMs()]).toEqual([[], 1, 1_000])
    fs.renameSync(join(trash, '..', `${basename(trash)}-lifted`), join(trash, 'd'))
    hub.rows.splice(0, 1, { root, size, path: 'd/moved' })
    await hub.answer()
    expect([hub.stored, hub.wants.size, hub.wanted.dueInMs()]).toEqual([[root], 0, undefined])
  } finally {
    fs.rmSync(join(trash, '..', `${basename(trash)}-lifted`), { recursive: true, force: true })
  }
})

test.each(['readdir', 'lstat', 'readFile'] as const)(
  '[BG22] what is in the trash is looked for again where %s fails once',
  async (call) => {
    let failures = 1
    const files: FileSystem = {
      ...nodeFileSystem,
      [call](path: string) {
        const isAsked = path.endsWith(call === 'readdir' ? '/1-0/' : '/a')
        if (isAsked && failures-- > 0) throw Object.assign(new Error('EIO'), { code: 'EIO' })
        return nodeFileSystem[call](path)
      },
    }
    const [root, size] = put('1-0/a', 'the last bytes')
    const hub = new Asked(new Map([[root, size]]), files)
    await hub.answer()
    expect([hub.stored, hub.wants.size, hub.wanted.dueInMs()]).toEqual([[], 1, 1_000])
    await hub.answer()
    expect([hub.stored, hub.wants.size, hub.wanted.dueInMs()]).toEqual([[root], 0, undefined])
  },
)

test('[BG22] what a disk does not show for long is looked for every ten minutes', async () => {
  const files: FileSystem = {
    ...nodeFileSystem,
    readdir: () => {
      throw Object.assign(new Error('EIO'), { code: 'EIO' })
    },
  }
  const hub = new Asked(new Map([put('1-0/a', 'the last bytes')]), files)
  for (let i = 0; i < 20; i++) await hub.answer()
  expect(hub.wanted.dueInMs()).toBe(600_000)
})

test.each(['file', 'symlink'] as const)(
  '[BG22] nobody waits for the walk through a trash of many: %s',
  async (kind) => {
    let looks = 0
    const many: FileSystem = {
      ...nodeFileSystem,
      readdir: (path) =>
        path.includes('1-0')
          ? Array.from({ length: 100_000 }, (_, i) => Buffer.from(`f${i}`))
          : [Buffer.from('1-0')],
      lstat: (path) => {
        if (!/f\d+$/.test(path)) return nodeFileSystem.lstat(path)
        looks++
        return { ...nodeFileSystem.lstat(trash)!, kind, size: 3 } as FileStat
      },
    }
    const hub = new Asked(new Map([['0'.repeat(64), 7]]), many)
    hub.wanted.wake()
    await new Promise((resolve) => setImmediate(resolve))
    await hub.wanted.close()
    expect(looks).toBeLessThan(10_000)
  },
)
