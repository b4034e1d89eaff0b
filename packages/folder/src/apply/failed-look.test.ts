import { expect, test } from 'vitest'
import type { FileSystem } from '../ports/file-system.js'
import { applyRemote } from './apply-remote.js'
import { recover, settleUnderWay } from './recover.js'
import type { Thing } from './testing/fake-space.js'
import { foundByScan } from './testing/found-by-scan.js'
import { Crash, intercepted, treeOf, unsyncedFileSystem, World } from './testing/world.js'

const never = new AbortController().signal
const D: Thing = { id: 1, in: 0, name: 'd' }
const F: Thing = { id: 2, in: 1, name: 'f', bytes: 'old' }

const UPDATES: Readonly<Record<string, { readonly before: readonly Thing[]; readonly after: Thing[] }>> = {
  'a file is moved, and another one made in its place': {
    before: [D, F],
    after: [D, { ...F, name: 'q' }, { id: 3, in: 1, name: 'f', bytes: 'new' }],
  },
  'three files move on by one place': {
    before: [D, F, { id: 3, in: 1, name: 'g', bytes: 'g' }, { id: 4, in: 1, name: 'h', bytes: 'h' }],
    after: [
      D,
      { ...F, name: 'g' },
      { id: 3, in: 1, name: 'h', bytes: 'g' },
      { id: 4, in: 1, name: 'i', bytes: 'h' },
    ],
  },
  'two files change places': {
    before: [D, F, { id: 3, in: 1, name: 'g', bytes: 'g' }],
    after: [D, { ...F, name: 'g' }, { id: 3, in: 1, name: 'f', bytes: 'g' }],
  },
  'a directory is made with a file in it': { before: [], after: [D, F] },
  'a file is moved out of a directory that is deleted': { before: [D, F], after: [{ ...F, in: 0 }] },
}

interface Ended {
  /** The program died before its update was done. */
  readonly isDead: boolean
  readonly hasFailed: boolean
}

/** A program dies before a write to its database, and at its next start one call of its disk fails. */
async function diedAndFailed(name: string, dies: number, fails: number): Promise<Ended> {
  const { before, after } = UPDATES[name]!
  const world = new World()
  try {
    world.space.show(before)
    await applyRemote(world.ctx(unsyncedFileSystem), never)
    world.space.show(after)
    let writes = 0
    world.space.beforeWrite = () => {
      if (writes++ >= dies) throw new Crash('before a write')
    }
    const isDead = await applyRemote(world.ctx(unsyncedFileSystem), never).then(
      () => false,
      () => true,
    )
    world.space.beforeWrite = () => {}
    let calls = 0
    const files: FileSystem = intercepted(unsyncedFileSystem, () => {
      if (calls++ === fails) throw Object.assign(new Error('EIO'), { code: 'EIO' })
    })
    const when = `${name}: dead before write ${dies}, failed at call ${fails}`
    await recover(world.ctx(files)).catch(() => undefined)
    const hasFailed = calls > fails
    const ctx = world.ctx(unsyncedFileSystem)
    expect(await ctx.rows.orphanDirectories(), when).toEqual([])
    expect(await settleUnderWay(ctx), when).toEqual([])
    expect(await foundByScan(ctx, world.disk()), when).toEqual([])
    await applyRemote(ctx, never)
    expect(world.disk(), when).toEqual(treeOf(after))
    expect(await foundByScan(ctx, world.disk()), when).toEqual([])
    return { isDead, hasFailed }
  } finally {
    world.close()
  }
}

test.each(Object.keys(UPDATES))(
  '[CR18] what was under way keeps its rows where the disk fails once at the next start: %s',
  async (name) => {
    for (let dies = 0, isDead = true; isDead; dies++) {
      for (let fails = 0, hasFailed = true; hasFailed; fails++)
        ({ isDead, hasFailed } = await diedAndFailed(name, dies, fails))
    }
  },
)
