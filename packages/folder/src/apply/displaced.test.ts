import * as fs from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { nodeFileSystem } from '../adapters/node-file-system.js'
import type { FileSystem } from '../ports/file-system.js'
import { rowOps } from '../rows-store.js'
import { applyRemote } from './apply-remote.js'
import { settleUnderWay } from './recover.js'
import { nodeId } from './testing/fake-space.js'
import { intercepted, World } from './testing/world.js'

const never = new AbortController().signal
const refused = () => Object.assign(new Error('EIO'), { code: 'EIO' })

let world: World
beforeEach(async () => {
  world = new World()
  world.space.show([{ id: 1, in: 0, name: 'f', bytes: 'old' }])
  await applyRemote(world.ctx(), never)
})
afterEach(() => world.close())

/** One look at the first thing that goes to the trash fails. */
function failingLook(): FileSystem {
  let aside: string | undefined
  let looks = 1
  return intercepted(nodeFileSystem, (call, [from, to]) => {
    if (call === 'rename' && to!.includes('/trash/')) aside ??= to
    if (call === 'lstat' && from === aside && looks-- > 0) throw refused()
  })
}

const trashed = (): string[] =>
  fs
    .readdirSync(world.path('.tidemark/trash'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('f'))

test('[CR18] a file that others deleted does not come back because another has its place before that is settled', async () => {
  world.space.show([{ id: 2, in: 0, name: 'f' }])
  let aside: string | undefined
  let isUnsynced = true
  const unsynced = intercepted(nodeFileSystem, (call, [from, to]) => {
    if (call === 'rename' && to!.includes('/trash/')) aside = to
    if (call !== 'fsync' || !aside || from !== world.directory || !isUnsynced) return
    isUnsynced = false
    throw refused()
  })
  await expect(applyRemote(world.ctx(unsynced), never)).rejects.toThrow('EIO')
  let looks = 1
  const later = world.ctx(
    intercepted(nodeFileSystem, (call, [path]) => {
      if (call === 'lstat' && path === aside && looks-- > 0) throw refused()
    }),
  )
  expect(await settleUnderWay(later)).toHaveLength(1)
  expect(await settleUnderWay(later)).toEqual([])
  await applyRemote(later, never)
  expect(world.disk()).toEqual({ f: '/' })
})

test('[CR18] old content whose row went before its replacement was settled stays in the trash', async () => {
  world.space.show([{ id: 1, in: 0, name: 'f', bytes: 'new' }])
  const ctx = world.ctx(failingLook())
  await applyRemote(ctx, never)
  const row = (await ctx.rows.get(nodeId(1)))!
  await ctx.space.writeRows(rowOps([{ before: row, after: undefined }]), { sync: true })
  expect(await settleUnderWay(ctx)).toEqual([])
  expect(world.disk()).toEqual({})
  expect(trashed()).toHaveLength(1)
  expect(await ctx.rows.get(nodeId(1))).toBeUndefined()
})

test('[CR18] what went aside although it was its user’s is given back, though its row went', async () => {
  world.space.show([])
  let isSaved = false
  const files = failingLook()
  const meddled = intercepted(files, (call, [, to]) => {
    if (call !== 'rename' || !to!.includes('/trash/') || isSaved) return
    isSaved = true
    fs.writeFileSync(world.path('f'), 'of the user')
  })
  const ctx = world.ctx(meddled)
  await applyRemote(ctx, never)
  expect(world.disk()).toEqual({})
  const row = (await ctx.rows.get(nodeId(1)))!
  await ctx.space.writeRows(rowOps([{ before: row, after: undefined }]), { sync: true })
  expect(await settleUnderWay(ctx)).toEqual([])
  expect(world.disk()).toEqual({ f: 'of the user' })
})
