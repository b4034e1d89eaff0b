import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { type KeyValueReader, type RefusalReason, refusedRows, type SpaceBinding } from '@tidemark/engine'
import { beforeEach, expect, test } from 'vitest'
import { nodeFileSystem } from '../src/adapters/node-file-system.js'
import { type Bound, bind, bindOn, paths, hub as startHub } from './fixture.js'

let isOver = false
beforeEach(() => {
  isOver = false
})

/** Two folders of a hub that takes no `*.exe`, no file of more than 1,000 bytes, and no deletion of `kept`. */
async function refusing(): Promise<{ readonly a: Bound; readonly b: Bound; again(): Promise<Bound> }> {
  const reason: RefusalReason = { code: 'RETAINED', message: 'nothing of this name is deleted' }
  const hub = await startHub({
    refuseNames: ['*.exe'],
    fileBytesMax: 1_000,
    refuse: ({ held, write }) =>
      !isOver &&
      held?.loc.some(({ value }) => value.name === 'kept') &&
      write.loc.some(({ value }) => value.dead)
        ? reason
        : undefined,
  })
  const a = await bind({ hub })
  const b = await bind({ hub })
  return {
    a,
    b,
    again: async () => {
      await a.binding.close()
      await a.replica.close()
      return bind({ hub, directory: a.directory, storage: a.storage })
    },
  }
}

const refused = ({ binding }: Bound): string[] =>
  binding.status.problems.flatMap(({ cause, path }) => (cause === 'refused-by-hub' ? path : [])).sort()

const bothIdle = async (a: Bound, b: Bound): Promise<void> => {
  await expect
    .poll(() => [a, b].map(({ binding }) => binding.status.state), { timeout: 10_000 })
    .toEqual(['idle', 'idle'])
}

test('[HB20] a new file of a name that the hub refuses stays where it is, is named, and travels under another name', async () => {
  const { a, b } = await refusing()
  writeFileSync(a.path('game.exe'), 'bytes')
  writeFileSync(a.path('ok'), 'ok')
  mkdirSync(a.path('sub.EXE/deep'), { recursive: true })
  writeFileSync(a.path('sub.EXE/deep/x'), 'x')
  await expect.poll(() => refused(a), { timeout: 10_000 }).toEqual(['game.exe', 'sub.EXE'])
  await expect.poll(() => paths(b.space)).toEqual(['ok'])
  await bothIdle(a, b)
  expect(readFileSync(a.path('game.exe'), 'utf8')).toBe('bytes')
  expect(readFileSync(a.path('sub.EXE/deep/x'), 'utf8')).toBe('x')

  renameSync(a.path('game.exe'), a.path('game.txt'))
  renameSync(a.path('sub.EXE'), a.path('sub'))
  await expect
    .poll(() => paths(b.space), { timeout: 10_000 })
    .toEqual(['game.txt', 'ok', 'sub', 'sub/deep', 'sub/deep/x'])
  await expect.poll(() => existsSync(b.path('sub/deep/x'))).toBe(true)
  await bothIdle(a, b)
  expect(refused(a)).toEqual([])
})

test('[HB20] an edit that the hub refuses stays with its author; the others keep what the hub has, until it fits', async () => {
  const { a, b } = await refusing()
  writeFileSync(a.path('f'), 'small')
  await expect.poll(() => existsSync(b.path('f')) && readFileSync(b.path('f'), 'utf8')).toBe('small')
  writeFileSync(a.path('f'), 'x'.repeat(2_000))
  await expect.poll(() => refused(a), { timeout: 10_000 }).toEqual(['f'])
  await bothIdle(a, b)
  expect(readFileSync(b.path('f'), 'utf8')).toBe('small')
  expect(readFileSync(a.path('f'), 'utf8')).toHaveLength(2_000)
  // Still too large: refused once more.
  appendFileSync(a.path('f'), 'y')
  await expect
    .poll(() => a.events.filter(({ detail }) => detail.startsWith('refused by the hub')).length, {
      timeout: 10_000,
    })
    .toBe(2)
  await bothIdle(a, b)
  truncateSync(a.path('f'), 10)
  await expect.poll(() => readFileSync(b.path('f'), 'utf8'), { timeout: 10_000 }).toBe('x'.repeat(10))
  await bothIdle(a, b)
  expect([refused(a), await paths(b.space)]).toEqual([[], ['f']])
})

test('[HB20] what others do meanwhile waits beside it, and nothing is lost', async () => {
  const { a, b } = await refusing()
  writeFileSync(a.path('f'), 'small')
  await expect.poll(() => existsSync(b.path('f'))).toBe(true)
  await bothIdle(a, b)
  writeFileSync(a.path('f'), 'x'.repeat(2_000))
  await expect.poll(() => refused(a), { timeout: 10_000 }).toEqual(['f'])
  writeFileSync(b.path('f'), 'of b')
  writeFileSync(b.path('g'), 'g')
  await expect.poll(() => existsSync(a.path('g')), { timeout: 10_000 }).toBe(true)
  await bothIdle(a, b)
  expect(readFileSync(a.path('f'), 'utf8')).toHaveLength(2_000)
  truncateSync(a.path('f'), 10)
  const contents = async ({ space, path }: Bound) =>
    (await paths(space)).map((name) => existsSync(path(name)) && readFileSync(path(name), 'utf8')).sort()
  await expect.poll(() => contents(a), { timeout: 10_000 }).toEqual(['g', 'of b', 'x'.repeat(10)])
  await expect.poll(() => contents(b), { timeout: 10_000 }).toEqual(['g', 'of b', 'x'.repeat(10)])
})

test('[HB20] what may not be renamed or deleted is as it was', async () => {
  const { a, b } = await refusing()
  for (const name of ['f', 'kept']) writeFileSync(a.path(name), name)
  await expect.poll(() => existsSync(b.path('f')) && existsSync(b.path('kept'))).toBe(true)
  await bothIdle(a, b)
  renameSync(a.path('f'), a.path('f.exe'))
  rmSync(a.path('kept'))
  await expect
    .poll(() => [existsSync(a.path('f')), existsSync(a.path('kept'))], { timeout: 10_000 })
    .toEqual([true, true])
  await bothIdle(a, b)
  expect(await paths(b.space)).toEqual(['f', 'kept'])
  isOver = true
  rmSync(a.path('kept'))
  await expect.poll(() => existsSync(b.path('kept')), { timeout: 10_000 }).toBe(false)
})

test('[HB20] the next start, and whoever asks for a scan, tries again', async () => {
  const { a, b, again } = await refusing()
  writeFileSync(a.path('kept'), 'x'.repeat(2_000))
  await expect.poll(() => refused(a), { timeout: 10_000 }).toEqual(['kept'])
  await bothIdle(a, b)
  const attempts = ({ events }: Bound) =>
    events.filter(({ detail }) => detail.startsWith('refused by the hub')).length
  a.binding.rescan()
  await expect.poll(() => attempts(a), { timeout: 10_000 }).toBe(2)
  const next = await again()
  await expect.poll(() => refused(next), { timeout: 10_000 }).toEqual(['kept'])
  expect(attempts(next)).toBe(1)
  expect(readFileSync(next.path('kept'), 'utf8')).toHaveLength(2_000)
})

test('[HB20] of a refused directory with more in it than a frame holds nothing is shown to others', async () => {
  const { a, b } = await refusing()
  mkdirSync(a.path('sub.exe'))
  const names = Array.from({ length: 700 }, (_, i) => `f${i}`)
  for (const name of names) writeFileSync(a.path(`sub.exe/${name}`), name)
  await expect.poll(() => refused(a), { timeout: 20_000 }).toEqual(['sub.exe'])
  await expect.poll(() => a.binding.status.state, { timeout: 20_000 }).toBe('idle')
  expect(a.binding.status.problems).toHaveLength(1)
  await bothIdle(a, b)
  expect([await paths(a.space), await paths(b.space)]).toEqual([[], []])
  expect(readdirSync(a.path('sub.exe'))).toHaveLength(names.length)
  renameSync(a.path('sub.exe'), a.path('sub'))
  await expect.poll(async () => (await paths(b.space)).length, { timeout: 20_000 }).toBe(names.length + 1)
  await bothIdle(a, b)
  expect(refused(a)).toEqual([])
}, 60_000)

test('[HB20] a directory that others delete stays for an edit in it that was refused, and nothing waits for it', async () => {
  const { a, b } = await refusing()
  mkdirSync(a.path('d'))
  writeFileSync(a.path('d/f'), 'small')
  await expect.poll(() => existsSync(b.path('d/f')), { timeout: 10_000 }).toBe(true)
  writeFileSync(a.path('d/f'), 'x'.repeat(2_000))
  await expect.poll(() => refused(a), { timeout: 10_000 }).toEqual(['d/f'])
  await bothIdle(a, b)
  rmSync(b.path('d'), { recursive: true })
  const causes = () => a.binding.status.problems.map(({ cause }) => cause).sort()
  await expect.poll(causes, { timeout: 10_000 }).toEqual(['not-empty', 'refused-by-hub'])
  await bothIdle(a, b)
  expect(readFileSync(a.path('d/f'), 'utf8')).toHaveLength(2_000)
  truncateSync(a.path('d/f'), 10)
  await expect.poll(() => existsSync(b.path('d/f')), { timeout: 10_000 }).toBe(true)
  await bothIdle(a, b)
  expect([causes(), readFileSync(b.path('d/f'), 'utf8')]).toEqual([[], 'x'.repeat(10)])
})

test('[HB20] what others make in a place where a refused directory stands waits with it', async () => {
  let isOpen = false
  const hub = await startHub({
    refuse: ({ write, device }) =>
      !isOpen && device === a.replica.device && write.loc.length > 0
        ? { code: 'NO', message: 'no' }
        : undefined,
  })
  const a = await bind({ hub })
  const b = await bind({ hub })
  mkdirSync(a.path('d'))
  await expect.poll(() => refused(a), { timeout: 10_000 }).toEqual(['d'])
  mkdirSync(b.path('d/deep'), { recursive: true })
  writeFileSync(b.path('d/deep/f'), 'f')
  writeFileSync(b.path('g'), 'g')
  await expect.poll(() => existsSync(a.path('g')), { timeout: 10_000 }).toBe(true)
  await bothIdle(a, b)
  isOpen = true
  a.binding.rescan()
  await expect.poll(() => existsSync(a.path('d/deep/f')), { timeout: 10_000 }).toBe(true)
  await bothIdle(a, b)
})

test('[HB20] what a disk does not show once is not sent once more for that', async () => {
  const hub = await startHub({ refuseNames: ['*.exe'] })
  let failures = 0
  const files: typeof nodeFileSystem = {
    ...nodeFileSystem,
    lstat(path) {
      if (path.endsWith('.exe') && failures-- > 0) throw Object.assign(new Error('EIO'), { code: 'EIO' })
      return nodeFileSystem.lstat(path)
    },
  }
  const a = await bindOn({ files }, { hub, watch: false })
  writeFileSync(a.path('game.exe'), 'bytes')
  mkdirSync(a.path('sub.exe'))
  await a.binding.settled()
  await expect.poll(() => refused(a), { timeout: 10_000 }).toEqual(['game.exe', 'sub.exe'])
  failures = 2
  await a.binding.settled()
  expect(failures).toBeLessThanOrEqual(0)
  expect(refused(a)).toEqual(['game.exe', 'sub.exe'])
  await a.binding.settled()
  const attempts = a.events.filter(({ detail }) => detail.startsWith('refused by the hub'))
  expect(attempts.map(({ path }) => path).sort()).toEqual(['game.exe', 'sub.exe'])
})

test.each([
  ['deleted', (b: Bound) => rmSync(b.path('d'), { recursive: true }), []],
  ['emptied', (b: Bound) => rmSync(b.path('d/sub/f')), ['d', 'd/sub']],
  ['emptied by a move', (b: Bound) => renameSync(b.path('d/sub/f'), b.path('f')), ['d', 'd/sub', 'f']],
  [
    'renamed, emptied and deleted',
    async (b: Bound, a: Bound) => {
      renameSync(b.path('d'), b.path('e'))
      await expect.poll(() => existsSync(a.path('e/sub/f')), { timeout: 10_000 }).toBe(true)
      rmSync(b.path('e/sub'), { recursive: true })
      await expect.poll(() => existsSync(a.path('e/sub')), { timeout: 10_000 }).toBe(false)
      rmSync(b.path('e'), { recursive: true })
    },
    [],
  ],
] as const)(
  '[HB20] a directory that was refused and is shown for what is in it is what others make of it: %s',
  async (_, change, left) => {
    const hub = await startHub({
      refuse: ({ held, write }) => {
        const isNew = !held && write.kind === 'dir' && write.loc.some(({ value }) => !value.dead)
        return isNew ? { code: 'NO', message: 'no new directories' } : undefined
      },
    })
    const a = await bind({ hub })
    const b = await bind({ hub })
    mkdirSync(a.path('d/sub'), { recursive: true })
    writeFileSync(a.path('d/sub/f'), 'f')
    await expect.poll(() => existsSync(b.path('d/sub/f')), { timeout: 10_000 }).toBe(true)
    await bothIdle(a, b)
    await change(b, a)
    await expect.poll(() => paths(b.space), { timeout: 10_000 }).toEqual(left)
    await expect.poll(() => paths(a.space), { timeout: 10_000 }).toEqual(left)
    await bothIdle(a, b)
    const found = ({ directory }: Bound) =>
      readdirSync(directory, { recursive: true, encoding: 'utf8' })
        .filter((name) => !name.startsWith('.'))
        .sort()
    expect([found(a), found(b), refused(a)]).toEqual([left, left, []])
    a.binding.rescan()
    await bothIdle(a, b)
    expect(await paths(a.space)).toEqual(left)
    const told = a.events.filter(({ detail }) => detail.startsWith('refused by the hub'))
    expect(told).toEqual([])
  },
)

/** A binding whose rows `before` is called for before one is read. */
const beforeReads = (binding: SpaceBinding, before: (rows: KeyValueReader, key: string) => Promise<void>) =>
  new Proxy(binding, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name)
      if (typeof value === 'function') return value.bind(target)
      if (name !== 'rows') return value
      const rows = value as KeyValueReader
      const get = async (key: string) => {
        await before(rows, key)
        return rows.get(key)
      }
      return { get, getMany: rows.getMany.bind(rows), range: rows.range.bind(rows) }
    },
  })

test('[HB20] an edit that the hub refuses just when what it stands in was read for a change of others stays', async () => {
  const hub = await startHub({ fileBytesMax: 1_000 })
  const edited = 'x'.repeat(2_000)
  let turn: (isRefused: () => Promise<boolean>) => Promise<unknown> = async () => undefined
  const space = (binding: SpaceBinding) =>
    beforeReads(binding, async (rows, key) => {
      // What is to be done has been gathered.
      if (key !== 'apply/unsettled') return
      await turn(async () => {
        for await (const page of rows.range(refusedRows.range)) if (page.length > 0) return true
        return false
      })
    })
  const a = await bindOn({ space }, { hub })
  const b = await bind({ hub })
  writeFileSync(a.path('f'), 'small')
  await expect.poll(() => existsSync(b.path('f')), { timeout: 10_000 }).toBe(true)
  await bothIdle(a, b)
  turn = async () => {
    writeFileSync(a.path('f'), edited)
    turn = async (isRefused) => {
      if (!a.events.some(({ detail }) => detail === 'edit')) return
      turn = async () => undefined
      await expect.poll(isRefused, { timeout: 5_000 }).toBe(true)
    }
  }
  chmodSync(b.path('f'), 0o755)
  await expect.poll(() => refused(a), { timeout: 10_000 }).toEqual(['f'])
  await bothIdle(a, b)
  expect([readFileSync(a.path('f'), 'utf8'), readFileSync(b.path('f'), 'utf8')]).toEqual([edited, 'small'])
})
