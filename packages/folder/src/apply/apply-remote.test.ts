import * as fs from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { nodeFileSystem } from '../adapters/node-file-system.js'
import { applyRemote } from './apply-remote.js'
import { Downloads } from './downloads.js'
import { readLifts } from './journal.js'
import { settleUnderWay } from './recover.js'
import { MTIME_MS, nodeId, rootOf, type Thing } from './testing/fake-space.js'
import { intercepted, treeOf, World } from './testing/world.js'
import { Unsettled } from './unsettled.js'

const never = new AbortController().signal
const DIR = (id: number, name: string, below = 0): Thing => ({ id, in: below, name })
const FILE = (id: number, name: string, bytes: string, below = 0): Thing => ({ id, in: below, name, bytes })

let world: World
beforeEach(() => {
  world = new World()
})
afterEach(() => world.close())

const staged = () => fs.readdirSync(world.path('.tidemark/staging'))

async function shows(things: readonly Thing[]) {
  world.space.show(things)
  const result = await applyRemote(world.ctx(), never)
  expect(result).toMatchObject({ deferred: 0, problems: [], rescan: [] })
  expect(world.disk()).toEqual(treeOf(things))
  expect(await world.space.dirty(1)).toEqual([])
  return result
}

test('a received tree is created, parents first, with its modification times and modes', async () => {
  await shows([
    FILE(9, 'deep.txt', 'deep', 5),
    DIR(5, 'inner', 7),
    DIR(7, 'outer'),
    FILE(2, 'empty', ''),
    { id: 3, in: 7, name: 'link', target: '../empty' },
    { id: 4, in: 0, name: 'run', bytes: '#!', executable: true },
  ])
  expect(fs.statSync(world.path('outer/inner/deep.txt')).mtimeMs).toBe(MTIME_MS)
  expect(fs.statSync(world.path('run')).mode & 0o111).not.toBe(0)
  expect(fs.statSync(world.path('empty')).mode & 0o111).toBe(0)
  expect(fs.readdirSync(world.path('.tidemark/staging'))).toEqual([])
})

test('replaced and deleted content goes to the trash under its path', async () => {
  await shows([DIR(1, 'd'), FILE(2, 'f', 'old', 1), FILE(3, 'g', 'gone', 1)])
  await shows([DIR(1, 'd'), FILE(2, 'f', 'new', 1)])
  const [group] = fs.readdirSync(world.path('.tidemark/trash'))
  expect(fs.readFileSync(world.path('.tidemark/trash', group!, 'd/f'), 'utf8')).toBe('old')
  expect(fs.readFileSync(world.path('.tidemark/trash', group!, 'd/g'), 'utf8')).toBe('gone')
})

test('the executable bit follows without a new file; a replaced file keeps its private mode', async () => {
  await shows([FILE(1, 'f', 'a')])
  const { ino } = fs.statSync(world.path('f'))
  await shows([{ ...FILE(1, 'f', 'a'), executable: true }])
  expect(fs.statSync(world.path('f'))).toMatchObject({ ino })
  expect(fs.statSync(world.path('f')).mode & 0o100).toBe(0o100)
})

test('names that rotate, directories that swap levels and renames over a deleted name arrive without a fetch', async () => {
  await shows([
    FILE(1, 'a', 'A'),
    FILE(2, 'b', 'B'),
    FILE(3, 'c', 'C'),
    DIR(4, 'p'),
    DIR(5, 'q', 4),
    FILE(6, 'x', 'X', 5),
  ])
  const before = world.space.fetchedSmall
  await shows([
    FILE(1, 'b', 'A'),
    FILE(2, 'c', 'B'),
    FILE(3, 'a', 'C'),
    DIR(5, 'p'),
    DIR(4, 'q', 5),
    FILE(6, 'x', 'X', 5),
  ])
  await shows([FILE(1, 'c', 'A'), DIR(5, 'p'), DIR(4, 'q', 5), FILE(6, 'x', 'X', 4)])
  expect(world.space.fetchedSmall).toBe(before)
})

/** An edit of this disk has lost, and its bytes can be had from nobody else. */
async function loses(bytes: string): Promise<void> {
  await shows([FILE(1, 'f', bytes)])
  world.space.show([FILE(1, 'f', 'theirs'), { ...FILE(1, 'f (copy)', bytes), isCopy: true }])
  world.space.chunks.delete(rootOf(bytes))
}

test('an edit that lost becomes a conflict copy from what stands here (seed 463414)', async () => {
  await loses('mine')
  expect(await applyRemote(world.ctx(), never)).toMatchObject({ deferred: 0, problems: [] })
  expect(world.disk()).toMatchObject({ f: 'theirs', 'f (copy)': 'mine' })
  expect(fs.readdirSync(world.path('.tidemark/staging'))).toEqual([])
})

test('while the last copy of a small version cannot be read what replaces it waits', async () => {
  const bytes = 'mine'
  await loses(bytes)
  const files = intercepted(nodeFileSystem, (call, [path]) => {
    if (call === 'readFile' && path === world.path('f'))
      throw Object.assign(new Error('no'), { code: 'EACCES' })
  })
  const { deferred, problems } = await applyRemote(world.ctx(files), never)
  expect([deferred, problems.map(({ path, cause }) => `${path}: ${cause}`)]).toEqual([
    2,
    ['f (copy): waiting-for-bytes'],
  ])
  expect(world.disk()).toEqual({ f: bytes })
  expect((await applyRemote(world.ctx(), never)).deferred).toBe(0)
})

test('a move and an edit of one file arrive together', async () => {
  await shows([DIR(1, 'd'), FILE(2, 'f', 'one', 1)])
  await shows([DIR(1, 'd'), FILE(2, 'g', 'two')])
})

test('a merged directory whose representative changes keeps its inode and its children', async () => {
  await shows([DIR(5, 'd'), FILE(7, 'f', 'F', 5)])
  const { ino } = fs.statSync(world.path('d'))
  await shows([{ ...DIR(3, 'd'), alsoBacking: [5] }, FILE(7, 'f', 'F', 3)])
  expect(fs.statSync(world.path('d')).ino).toBe(ino)
  await shows([DIR(3, 'e'), DIR(5, 'd'), FILE(7, 'f', 'F', 5)])
})

test('what waits in a directory whose representative changes stays found in it', async () => {
  await shows([DIR(5, 'd'), FILE(7, 'f', 'F', 5)])
  fs.writeFileSync(world.path('d/f'), 'my edit')
  world.space.show([{ ...DIR(3, 'd'), alsoBacking: [5] }, FILE(7, 'f', 'F', 3)])
  await applyRemote(world.ctx(), never)
  const row = await world.ctx().rows.get(nodeId(7))
  expect(row).toMatchObject({ dir: nodeId(3), localName: 'f' })
  expect(world.disk()).toEqual({ d: '/', 'd/f': 'my edit' })
})

test('a deleted tree goes bottom up; what the rows do not know stays, with its directories', async () => {
  const tree = [DIR(1, 'd'), DIR(2, 'e', 1), FILE(3, 'f', 'F', 2)]
  await shows(tree)
  fs.writeFileSync(world.path('d/mine'), 'mine')
  world.space.show([])
  const result = await applyRemote(world.ctx(), never)
  expect(world.disk()).toEqual({ d: '/', 'd/mine': 'mine' })
  expect(result).toMatchObject({ deferred: 1, rescan: ['d'] })
})

test('a deleted directory that keeps ignored files is a problem', async () => {
  await shows([DIR(1, 'd')])
  fs.writeFileSync(world.path('d/x.o'), '')
  world.ignored = (path) => path.endsWith('.o')
  world.space.show([])
  const result = await applyRemote(world.ctx(), never)
  expect(result.problems).toMatchObject([{ path: 'd', cause: 'not-empty' }])
})

test('[FB9] a local edit, a local file at the wanted name and a replaced directory are left alone and looked at again', async () => {
  await shows([FILE(1, 'f', 'old'), DIR(2, 'd'), FILE(3, 'in', 'I', 2), FILE(8, 'z', 'Z')])
  fs.writeFileSync(world.path('f'), 'my edit')
  fs.writeFileSync(world.path('new'), 'my new')
  fs.renameSync(world.path('d'), world.path('moved'))
  fs.symlinkSync('/tmp', world.path('d'))
  world.space.show([
    FILE(1, 'f', 'theirs'),
    DIR(2, 'd'),
    FILE(3, 'in', 'changed', 2),
    FILE(4, 'new', 'their new'),
    FILE(5, 'more', 'more', 2),
    FILE(8, 'z', 'Z2'),
  ])
  const result = await applyRemote(world.ctx(), never)
  expect(world.disk()).toEqual({
    f: 'my edit',
    new: 'my new',
    moved: '/',
    'moved/in': 'I',
    d: '->/tmp',
    z: 'Z2',
  })
  expect(result).toMatchObject({ applied: 1, deferred: 4, rescan: [''] })
  expect(fs.readdirSync(world.path('.tidemark/staging'))).toEqual([])
})

test('entries with one node wait for each other while one of them still stands in an old version', async () => {
  const copy = (name: string, bytes: string): Thing => ({ ...FILE(1, name, bytes), isCopy: true })
  await shows([FILE(1, 'f', 'v1'), copy('f (copy)', 'v2')])
  fs.writeFileSync(world.path('f'), 'my edit')
  world.space.show([FILE(1, 'f', 'v3')])
  const result = await applyRemote(world.ctx(), never)
  expect(world.disk()).toEqual({ f: 'my edit', 'f (copy)': 'v2' })
  expect(result).toMatchObject({ applied: 0, deferred: 2 })
})

test('bytes that nobody has are a problem, and the rest goes on', async () => {
  world.space.show([FILE(1, 'f', 'here'), FILE(2, 'g', 'nowhere')])
  world.space.chunks.delete(rootOf('nowhere'))
  const result = await applyRemote(world.ctx(), never)
  expect(result).toMatchObject({
    applied: 1,
    deferred: 1,
    problems: [{ path: 'g', cause: 'waiting-for-bytes' }],
  })
  expect(world.disk()).toEqual({ f: 'here' })
})

test('nothing is staged without room for it and the reserve', async () => {
  const { nodeFileSystem } = await import('../adapters/node-file-system.js')
  const files = { ...nodeFileSystem, room: () => ({ freeBytes: 64 * 1024 * 1024 + 5, totalBytes: 1e9 }) }
  world.space.show([FILE(1, 'f', 'four'), FILE(2, 'g', 'more than one')])
  const result = await applyRemote(world.ctx(files), never)
  expect(result).toMatchObject({ applied: 1, problems: [{ path: 'g', cause: 'no-space' }] })
})

test('[FB9] old content that is written to through an open handle comes back beside the new', async () => {
  await shows([FILE(1, 'f.txt', 'old')])
  const handle = fs.openSync(world.path('f.txt'), 'a')
  let isWritten = false
  const { nodeFileSystem } = await import('../adapters/node-file-system.js')
  const files = {
    ...nodeFileSystem,
    link: (from: string, to: string) => {
      nodeFileSystem.link(from, to)
      setImmediate(() => {})
    },
    fsync: (path: string) => {
      if (path === world.directory && !isWritten) {
        isWritten = true
        fs.writeSync(handle, ' and late')
      }
      nodeFileSystem.fsync(path)
    },
  }
  world.space.show([FILE(1, 'f.txt', 'new')])
  const result = await applyRemote(world.ctx(files), never)
  fs.closeSync(handle)
  expect(world.disk()).toEqual({ 'f.txt': 'new', 'f (local 1).txt': 'old and late' })
  expect(result.rescan).toEqual([''])
  expect(world.bytes().has('old and late')).toBe(true)
})

test.each([
  ['comes', 'new'],
  ['finds it taken', 'mine'],
])('[FB9] so does what is written in the moment in which the new content %s', async (_, there) => {
  await shows([FILE(1, 'f.txt', 'old')])
  const handle = fs.openSync(world.path('f.txt'), 'a')
  let isWritten = false
  const files = intercepted(nodeFileSystem, (call, [, to]) => {
    if (isWritten || call !== 'link' || to !== world.path('f.txt')) return
    isWritten = true
    fs.writeSync(handle, ' and late')
    if (there === 'mine') fs.writeFileSync(world.path('f.txt'), 'mine')
  })
  world.space.show([FILE(1, 'f.txt', 'new')])
  const result = await applyRemote(world.ctx(files), never)
  fs.closeSync(handle)
  expect(world.disk()).toEqual({ 'f.txt': there, 'f (local 1).txt': 'old and late' })
  expect(result.rescan).toContain('')
})

test('[FB9] whoever writes to an open file that goes with its directory gets it back above that', async () => {
  await shows([DIR(1, 'd'), FILE(2, 'f', 'old', 1)])
  const handle = fs.openSync(world.path('d/f'), 'a')
  const files = intercepted(nodeFileSystem, (call) => {
    if (call === 'rmdir') fs.writeSync(handle, ' and late')
  })
  world.space.show([])
  const result = await applyRemote(world.ctx(files), never)
  fs.closeSync(handle)
  expect(world.disk()).toEqual({ f: 'old and late' })
  expect(result.rescan).toContain('')
})

test('a large file is fetched beside the small ones, and an interrupted one goes on where it stopped', async () => {
  const large = 'x'.repeat(300_000)
  world.space.show([FILE(1, 'large', large), FILE(2, 'small', 's')])
  const stop = new AbortController()
  world.space.afterPiece = () => {
    if (world.space.fetchedPieces === 3) {
      expect(world.disk()).toEqual({ small: 's' })
      stop.abort(new Error('stop'))
      throw new Error('connection lost')
    }
  }
  await expect(applyRemote(world.ctx(), stop.signal)).rejects.toThrow('stop')
  world.space.afterPiece = () => {}
  await applyRemote(world.ctx(), never)
  expect(world.disk()).toEqual({ large, small: 's' })
  expect(world.space.fetchedPieces).toBe(5)
  expect(fs.readdirSync(world.path('.tidemark/staging'))).toEqual([])
})

test('[PL17] what was to free a place, and is gone by then, keeps its row: nothing else comes there before the next scan', async () => {
  await shows([FILE(1, 'a', 'A'), FILE(2, 'z', 'Z')])
  world.space.show([FILE(1, 'b', 'A'), FILE(2, 'a', 'Z')])
  let isMoved = false
  const files = intercepted(nodeFileSystem, (call, [from]) => {
    if (isMoved || call !== 'link' || from !== world.path('a')) return
    isMoved = true
    fs.renameSync(world.path('a'), world.path('mine'))
  })
  const { rows } = world.ctx()
  const { deferred } = await applyRemote(world.ctx(files), never)
  expect(deferred).toBe(2)
  expect(world.disk()).toEqual({ mine: 'A', z: 'Z' })
  expect((await rows.get(nodeId(1)))?.key).toBe(nodeId(1))
  expect((await rows.get(nodeId(2)))?.localName).toBe('z')
})

test('[CR18] names that could not change hands, because the disk refused it once, do so at the next pass', async () => {
  await shows([FILE(1, 'a', 'A'), FILE(2, 'b', 'B')])
  world.space.show([FILE(1, 'b', 'A'), FILE(2, 'a', 'B')])
  const refusing = intercepted(nodeFileSystem, (call, paths) => {
    if ((call === 'link' || call === 'rename') && paths.some((path) => path.includes('/lift-')))
      throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
  })
  expect(await applyRemote(world.ctx(refusing), never)).toMatchObject({ deferred: 2 })
  expect((await Unsettled.read(world.ctx())).keys.size).toBe(0)
  expect(await readLifts(world.ctx().space.rows)).toEqual([])
  await shows([FILE(1, 'b', 'A'), FILE(2, 'a', 'B')])
  await shows([FILE(1, 'b', 'A 2'), FILE(2, 'a', 'B 2')])
})

test('[CR18] a part that could not be taken away from beside its file is that file: for another it comes again', async () => {
  const large = 'x'.repeat(300_000)
  let failures = 1
  const files = intercepted(nodeFileSystem, (call, [path]) => {
    if (call === 'unlink' && path?.includes('/part-') && failures-- > 0)
      throw Object.assign(new Error('EIO'), { code: 'EIO' })
  })
  const ctx = world.ctx(files)
  const downloads = new Downloads()
  const passes = async (): Promise<void> => {
    await applyRemote(ctx, never, downloads)
    await downloads.next()
    await applyRemote(ctx, never, downloads)
  }
  world.space.show([FILE(1, 'a', large)])
  await passes()
  const { mode, nlink } = fs.statSync(world.path('a'))
  expect(nlink).toBe(2)
  world.space.show([FILE(1, 'a', large), { ...FILE(2, 'b', large), executable: true }])
  await applyRemote(ctx, never, downloads)
  expect(fs.statSync(world.path('a')).mode).toBe(mode)
  expect(await settleUnderWay(ctx)).toEqual([])
  await passes()
  expect(world.disk()).toEqual({ a: large, b: large })
  expect(fs.statSync(world.path('a'))).toMatchObject({ mode, nlink: 1 })
  await downloads.close()
})

test('a pass that is broken off while it fetches leaves no content in staging', async () => {
  world.space.show(Array.from({ length: 600 }, (_, i) => FILE(i + 1, `f${i}`, `bytes ${i}`)))
  const stop = new AbortController()
  const fetchSmall = world.space.fetchSmall.bind(world.space)
  let groups = 0
  world.space.fetchSmall = async (roots) => {
    if (++groups === 1) return fetchSmall(roots)
    await expect.poll(staged).not.toEqual([])
    stop.abort(new Error('broken off'))
    throw stop.signal.reason
  }
  await expect(applyRemote(world.ctx(), stop.signal)).rejects.toThrow('broken off')
  expect(groups).toBeGreaterThan(1)
  expect(staged()).toEqual([])
})

test('[FB9] a file that cannot be given its second name for a moment does not move by another way', async () => {
  await shows([FILE(1, 'a', 'A')])
  let failures = 1
  const unlinked: string[] = []
  const files = intercepted(nodeFileSystem, (call, [path]) => {
    if (call === 'unlink') unlinked.push(path!)
    if (call === 'link' && failures-- > 0) throw Object.assign(new Error('EIO'), { code: 'EIO' })
  })
  world.space.show([FILE(1, 'b', 'A')])
  expect(await applyRemote(world.ctx(files), never)).toMatchObject({ deferred: 1 })
  // What its user saves there just before that call would be lost.
  expect(unlinked).not.toContain(world.path('a'))
  expect(world.disk()).toEqual({ a: 'A' })
  await shows([FILE(1, 'b', 'A')])
})

test('fetched content that could not be removed goes when what is under way is settled', async () => {
  world.space.show([FILE(1, 'a', 'A'), FILE(2, 'b', 'B'), FILE(3, 'c', 'C')])
  let failures = 1
  const files = intercepted(nodeFileSystem, (call, [path, to]) => {
    if (call === 'link') fs.writeFileSync(to!, 'mine')
    if (call === 'unlink' && path!.includes('/staging/new-') && failures-- > 0)
      throw Object.assign(new Error('EIO'), { code: 'EIO' })
  })
  const ctx = world.ctx(files)
  await expect(applyRemote(ctx, never)).rejects.toThrow('EIO')
  expect(await settleUnderWay(ctx)).toEqual([])
  expect([staged(), world.disk()]).toEqual([[], { a: 'mine', b: 'mine', c: 'mine' }])
})

test('fetched content of a pass that failed is removed, though it could not be looked at once', async () => {
  world.space.show(Array.from({ length: 600 }, (_, i) => FILE(i + 1, `f${i}`, `bytes ${i}`)))
  const fetchSmall = world.space.fetchSmall.bind(world.space)
  let groups = 0
  let failures = 0
  world.space.fetchSmall = async (roots) => {
    if (++groups === 1) return fetchSmall(roots)
    await expect.poll(staged).not.toEqual([])
    failures = 1
    throw new Error('not a word from the hub')
  }
  const files = intercepted(nodeFileSystem, (call, [path]) => {
    if (call === 'lstat' && path!.includes('/staging/new-') && failures-- > 0)
      throw Object.assign(new Error('EIO'), { code: 'EIO' })
  })
  const ctx = world.ctx(files)
  await expect(applyRemote(ctx, never)).rejects.toThrow('not a word from the hub')
  expect(await settleUnderWay(ctx)).toEqual([])
  expect(staged()).toEqual([])
})
