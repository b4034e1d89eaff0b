import * as fs from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { nodeFileSystem } from '../adapters/node-file-system.js'
import type { FileSystem } from '../ports/file-system.js'
import { STAGING_DIR } from '../rows.js'
import { rowOps } from '../rows-store.js'
import { applyRemote } from './apply-remote.js'
import { batchPut, type Intent, liftPut } from './journal.js'
import { recover, settleUnderWay } from './recover.js'
import { nodeId } from './testing/fake-space.js'
import { Crash, intercepted, World } from './testing/world.js'
import { Unsettled } from './unsettled.js'

let world: World
beforeEach(async () => {
  world = new World()
  world.space.show([
    { id: 1, in: 0, name: 'd' },
    { id: 2, in: 1, name: 'f', bytes: 'old' },
    { id: 3, in: 1, name: 'g', bytes: 'old too' },
  ])
  await applyRemote(world.ctx(), new AbortController().signal)
})
afterEach(() => world.close())

/** The process ended after these (ids and names) in `d` went aside and before the new bytes came. */
async function interruptedReplace(...files: (readonly [id: number, name: string])[]): Promise<void> {
  const ctx = world.ctx()
  const intents: Intent[] = []
  for (const [id, name] of files) {
    const row = (await ctx.rows.get(nodeId(id)))!
    const [at, aside, staged] = [`d/${name}`, `.tidemark/trash/${name}`, `.tidemark/staging/new-${name}`]
    fs.writeFileSync(world.path(staged), `new ${name}`)
    fs.renameSync(world.path(at), world.path(aside))
    const fingerprint = ctx.files.lstat(world.path(staged))!
    const { dir, localName, entry } = row
    intents.push({
      type: 'replace',
      key: row.key,
      row,
      after: { dir, localName, entry },
      from: at,
      to: at,
      aside,
      staged: { path: staged, fingerprint },
    })
  }
  await ctx.space.writeRows([batchPut({ intents, bootId: ctx.files.bootId() })], { sync: true })
}

/** A disk that fails where a path ends so. */
function failingAt(end: string, code: string): FileSystem {
  return intercepted(nodeFileSystem, (_, paths) => {
    if (paths.some((path) => path.endsWith(end))) throw Object.assign(new Error(code), { code })
  })
}

test('[CR18] a start after a crash does not fail where the directory was renamed meanwhile', async () => {
  await interruptedReplace([2, 'f'])
  fs.renameSync(world.path('d'), world.path('e'))
  await recover(world.ctx())
  expect(world.disk()).toEqual({ e: '/', 'e/g': 'old too' })
  expect(fs.readFileSync(world.path('.tidemark/trash/f'), 'utf8')).toBe('old')
})

test.each([
  ['to itself', 'd'],
  ['to where the directory is now', 'e'],
])('[CR18] nothing is settled by way of a symlink that its user put there: %s', async (_, target) => {
  await interruptedReplace([2, 'f'])
  fs.renameSync(world.path('d'), world.path('e'))
  fs.symlinkSync(target, world.path('d'))
  expect(await recover(world.ctx())).toEqual([])
  expect(world.disk()).toMatchObject({ e: '/', 'e/g': 'old too' })
  expect(fs.existsSync(world.path('e/f'))).toBe(false)
  expect(fs.readFileSync(world.path('.tidemark/trash/f'), 'utf8')).toBe('old')
})

test.each(['.tidemark', '.tidemark/staging', '.tidemark/trash'])(
  '[CR18] what was under way is settled where %s is a symlink to another disk',
  async (home) => {
    const away = `${world.path('')}-away`
    fs.renameSync(world.path(home), away)
    fs.symlinkSync(away, world.path(home))
    await interruptedReplace([2, 'f'])
    await recover(world.ctx())
    expect(world.disk()).toMatchObject({ 'd/f': 'new f' })
    fs.rmSync(away, { recursive: true })
  },
)

test('[CR18] what its user had written is given back above a directory that is gone', async () => {
  await interruptedReplace([2, 'f'])
  fs.renameSync(world.path('d'), world.path('e'))
  fs.writeFileSync(world.path('.tidemark/trash/f'), 'of the user')
  await recover(world.ctx())
  expect(world.disk()).toEqual({ e: '/', 'e/g': 'old too', f: 'of the user' })
})

test('[CR18] what the disk does not let be settled is a problem at its path, and the rest is settled', async () => {
  await interruptedReplace([2, 'f'], [3, 'g'])
  const problems = await recover(world.ctx(failingAt('trash/f', 'EIO')))
  expect(problems.map(({ path, cause }) => [path, cause])).toEqual([['d/f', 'cannot-write']])
  expect(world.disk()).toEqual({ d: '/', 'd/g': 'new g' })
})

test('[CR18] what could not be settled is settled when the disk lets it, whatever was done meanwhile', async () => {
  await interruptedReplace([2, 'f'])
  expect(await settleUnderWay(world.ctx(failingAt('trash/f', 'EACCES')))).toHaveLength(1)
  world.space.show([
    { id: 1, in: 0, name: 'd' },
    { id: 2, in: 1, name: 'f', bytes: 'old' },
    { id: 3, in: 1, name: 'g', bytes: 'other' },
  ])
  await applyRemote(world.ctx(), new AbortController().signal)
  expect(world.disk()).toEqual({ d: '/', 'd/g': 'other' })
  expect(await settleUnderWay(world.ctx())).toEqual([])
  expect(world.disk()).toEqual({ d: '/', 'd/f': 'new f', 'd/g': 'other' })
})

test('[CR18] a directory whose names cannot be made durable leaves the whole batch for later', async () => {
  await interruptedReplace([3, 'g'])
  const cannotSync = { ...nodeFileSystem, fsync: failingAt('/d', 'EIO').fsync }
  await expect(settleUnderWay(world.ctx(cannotSync))).rejects.toThrow('EIO')
  const row = await world.ctx().rows.get(nodeId(3))
  expect(row!.fingerprint.size).toBe('old too'.length)
  expect(await settleUnderWay(world.ctx())).toEqual([])
  expect((await world.ctx().rows.get(nodeId(3)))!.fingerprint.size).toBe('new g'.length)
})

test('[CR18] a staging area and a trash that cannot be looked at stop no start', async () => {
  await expect(recover(world.ctx(failingAt('/staging', 'EACCES')))).resolves.toEqual([])
  await expect(recover(world.ctx(failingAt('/trash', 'EACCES')))).resolves.toEqual([])
})

test('[CR18] what its user saved over the new version, before it was recorded, is an edit of that one', async () => {
  await interruptedReplace([2, 'f'])
  fs.renameSync(world.path('.tidemark/staging/new-f'), world.path('d/f'))
  const { ino } = fs.statSync(world.path('d/f'))
  fs.writeFileSync(world.path('saved'), 'of the user')
  fs.renameSync(world.path('saved'), world.path('d/f'))
  await recover(world.ctx())
  expect(world.disk()).toEqual({ d: '/', 'd/f': 'of the user', 'd/g': 'old too' })
  // The row is that of the version that came: the scan finds another file in its place.
  expect((await world.ctx().rows.get(nodeId(2)))!.fingerprint.ino).toBe(BigInt(ino).toString())
})

test('[CR18] what its user made where the old version was gone and the new one still to come is new', async () => {
  await interruptedReplace([2, 'f'])
  fs.writeFileSync(world.path('d/f'), 'of the user')
  await recover(world.ctx())
  expect(world.disk()).toEqual({ d: '/', 'd/f': 'of the user', 'd/g': 'old too' })
  expect(await world.ctx().rows.get(nodeId(2))).toBeUndefined()
})

test('[CR18] a place where a move ended is no longer that of another row, as in a database that went back', async () => {
  const ctx = world.ctx()
  const [moved, left] = [(await ctx.rows.get(nodeId(2)))!, (await ctx.rows.get(nodeId(3)))!]
  fs.rmSync(world.path('d/g'))
  fs.renameSync(world.path('d/f'), world.path('d/g'))
  const { key, dir, entry } = moved
  const after = { dir, localName: 'g', entry }
  const intent: Intent = { type: 'move', key, row: moved, after, from: 'd/f', to: 'd/g' }
  await ctx.space.writeRows([batchPut({ intents: [intent], bootId: ctx.files.bootId() })], { sync: true })
  await recover(ctx)
  expect((await ctx.rows.get(key))!.localName).toBe('g')
  expect(await ctx.rows.get(left.key)).toBeUndefined()
  expect(await ctx.rows.count()).toBe(2)
})

test('[CR18] what its user makes executable as it goes back to its place is for the next scan to see (seed 641642)', async () => {
  const ctx = world.ctx()
  const row = (await ctx.rows.get(nodeId(2)))!
  const lifted = '.tidemark/staging/lift-f'
  fs.renameSync(world.path('d/f'), world.path(lifted))
  await ctx.space.writeRows([liftPut({ row, path: lifted })], { sync: true })
  const meddled = intercepted(nodeFileSystem, (_, paths) => {
    const isBack = paths.some((path) => path.endsWith('d/f')) && fs.existsSync(world.path('d/f'))
    if (isBack) fs.chmodSync(world.path('d/f'), 0o755)
  })
  expect(await recover(world.ctx(meddled))).toEqual([])
  const after = (await world.ctx().rows.get(nodeId(2)))!
  expect(fs.statSync(world.path('d/f')).mode & 0o777).toBe(0o755)
  expect(after.fingerprint.mode).toBe(row.fingerprint.mode)
})

test('[CR18] what its user saves over a file that a start after a crash goes on to lift is kept', async () => {
  const ctx = world.ctx()
  const row = (await ctx.rows.get(nodeId(2)))!
  const [from, to, aside] = ['d/f', '.tidemark/staging/lift-f', '.tidemark/staging/hold-1']
  fs.linkSync(world.path(from), world.path(to))
  const intent: Intent = { type: 'lift', key: row.key, row, from, to, aside }
  const ops = [batchPut({ intents: [intent], bootId: ctx.files.bootId() }), liftPut({ row, path: to })]
  await ctx.space.writeRows(ops, { sync: true })
  let isSaved = false
  const meddled = intercepted(nodeFileSystem, (call, [path]) => {
    if (isSaved || !['unlink', 'rename'].includes(call) || path !== world.path(from)) return
    isSaved = true
    fs.writeFileSync(world.path('saved'), 'of the user')
    fs.renameSync(world.path('saved'), world.path(from))
  })
  expect(await recover(world.ctx(meddled))).toEqual([])
  expect(world.disk()).toEqual({
    d: '/',
    'd/f': 'of the user',
    'd/f (local 1)': 'old',
    'd/g': 'old too',
  })
})

test('[CR18] [FB1] what cannot be settled now is known as under way, so that nobody takes it for deleted', async () => {
  await interruptedReplace([2, 'f'])
  const ctx = world.ctx()
  const row = (await ctx.rows.get(nodeId(3)))!
  const lift = { row, path: '.tidemark/staging/lift-g' }
  await ctx.space.writeRows([liftPut(lift)], { sync: true })
  fs.renameSync(world.path('d/g'), world.path(lift.path))
  const refusing = intercepted(nodeFileSystem, (call, paths) => {
    if (call === 'link' || paths.some((path) => path.endsWith('trash/f')))
      throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
  })
  expect(await settleUnderWay(world.ctx(refusing))).toHaveLength(2)
  expect((await Unsettled.read(ctx)).keys).toEqual(new Set([nodeId(2), nodeId(3)]))
  expect(await settleUnderWay(ctx)).toEqual([])
  await ctx.space.writeRows([liftPut(lift)], { sync: true })
  expect((await Unsettled.read(ctx)).keys.size, 'a lift that the disk refused holds nothing up').toBe(0)
  expect(world.disk()).toMatchObject({ 'd/f': 'new f', 'd/g': 'old too' })
})

test.each(['g (local 1)', 'g (local 3)'])(
  '[CR18] what went back beside its place is found there, though its place, or a name before, is free by now: %s',
  async (name) => {
    const ctx = world.ctx()
    const row = (await ctx.rows.get(nodeId(3)))!
    await ctx.space.writeRows([liftPut({ row, path: '.tidemark/staging/lift-g' })], { sync: true })
    fs.renameSync(world.path('d/g'), world.path('d', name))
    expect(await settleUnderWay(ctx)).toEqual([])
    expect((await ctx.rows.get(row.key))?.localName).toBe(name)
  },
)

test('[CR18] what has landed, and cannot be looked at now, is not put back', async () => {
  const ctx = world.ctx()
  const row = (await ctx.rows.get(nodeId(3)))!
  const { key, entry } = row
  const [from, to, aside] = ['.tidemark/staging/lift-g', 'd/h', '.tidemark/staging/hold-1']
  const after = { dir: row.dir, localName: 'h', entry }
  const lifted = { ...row, dir: STAGING_DIR, localName: 'lift-g' }
  const intent: Intent = { type: 'land', key, row: lifted, after, from, to, aside }
  const journal = [batchPut({ intents: [intent], bootId: undefined }), liftPut({ row, path: from })]
  await ctx.space.writeRows([...journal, ...rowOps([{ before: row, after: lifted }])], { sync: true })
  fs.renameSync(world.path('d/g'), world.path(to))
  expect(await settleUnderWay(world.ctx(failingAt('/h', 'EIO')))).toHaveLength(1)
  expect(await settleUnderWay(ctx)).toEqual([])
  expect((await ctx.rows.get(key))?.localName).toBe('h')
})

test('[CR18] where what went back cannot be made durable nothing goes on', async () => {
  const ctx = world.ctx()
  const row = (await ctx.rows.get(nodeId(3)))!
  const lift = { row, path: '.tidemark/staging/lift-g' }
  await ctx.space.writeRows([liftPut(lift)], { sync: true })
  fs.renameSync(world.path('d/g'), world.path(lift.path))
  fs.writeFileSync(world.path('d/g'), 'made by me')
  const unsynced = { ...nodeFileSystem, fsync: failingAt('/d', 'EMFILE').fsync }
  await expect(settleUnderWay(world.ctx(unsynced))).rejects.toThrow('EMFILE')
  expect(await settleUnderWay(ctx)).toEqual([])
  expect((await ctx.rows.get(row.key))?.localName).toBe('g (local 1)')
})

test('[CR18] old content is not pruned as long as what it went aside for is not settled', async () => {
  world.space.show([
    { id: 1, in: 0, name: 'd' },
    { id: 2, in: 1, name: 'f', bytes: 'new' },
    { id: 3, in: 1, name: 'g', bytes: 'old too' },
  ])
  // It went aside, and the process ended.
  const crashing = intercepted(nodeFileSystem, (call, [, to]) => {
    if (call === 'link' && to!.endsWith('/d/f')) throw new Crash('the power went')
  })
  await applyRemote(world.ctx(crashing), new AbortController().signal).catch(() => undefined)
  expect(world.disk()).toEqual({ d: '/', 'd/g': 'old too' })
  const pruneAll = { ...nodeFileSystem, room: () => ({ freeBytes: 1e12, totalBytes: 0 }) }
  const refusing = intercepted(pruneAll, (call, [path]) => {
    if (call === 'lstat' && path === world.path('d/f')) throw Object.assign(new Error('EIO'), { code: 'EIO' })
  })
  expect(await recover(world.ctx(refusing))).toHaveLength(1)
  expect(world.bytes()).toContain('old')
  expect(await recover(world.ctx())).toEqual([])
  expect(world.disk()).toEqual({ d: '/', 'd/f': 'new', 'd/g': 'old too' })
  await recover(world.ctx(pruneAll))
  expect(world.bytes()).not.toContain('old')
})
