import { expect, test } from 'vitest'
import { homeOf, writeMarker } from '../home.js'
import type { FileSystem } from '../ports/file-system.js'
import { checkRoot } from '../root-check.js'
import { rootOps } from '../rows-store.js'
import { applyRemote } from './apply-remote.js'
import { recover } from './recover.js'
import { AFTER, BEFORE } from './testing/every-step.js'
import { foundByScan } from './testing/found-by-scan.js'
import { Crash, unsyncedFileSystem, World } from './testing/world.js'

const never = new AbortController().signal

function onDevice(dev: string, bootId: string): FileSystem {
  return {
    ...unsyncedFileSystem,
    lstat(path) {
      const stat = unsyncedFileSystem.lstat(path)
      return stat && { ...stat, dev }
    },
    writeNew: (...args) => ({ ...unsyncedFileSystem.writeNew(...args), dev }),
    bootId: () => bootId,
  }
}

/** What the first scan finds after the machine stopped before write `at` to the database; `undefined`: there were fewer. */
async function foundAfter(at: number, devAfter: string): Promise<string[] | undefined> {
  const world = new World()
  try {
    const { directory, space } = world
    space.show(BEFORE)
    const ctx = world.ctx(onDevice('1', 'first'))
    const home = homeOf(directory)
    const { ino } = ctx.files.lstat(directory)!
    await space.writeRows(rootOps({ bindingId: 'b', dev: '1', ino, imported: true }), { sync: true })
    writeMarker(ctx.files, home, 'b')
    await applyRemote(ctx, never)
    space.show(AFTER)
    let writes = 0
    space.beforeWrite = () => {
      if (++writes >= at) throw new Crash('the power went')
    }
    await applyRemote(ctx, never).catch((error) => expect(error).toBeInstanceOf(Crash))
    space.beforeWrite = () => {}
    if (writes < at) return undefined
    const then = world.ctx(onDevice(devAfter, 'second'))
    const parts = { space: then.space, rows: then.rows, files: then.files, directory, home, newId: () => 'x' }
    expect(await checkRoot(parts)).toMatchObject({ dev: devAfter })
    expect(await recover(then)).toEqual([])
    return await foundByScan(then, world.disk())
  } finally {
    world.close()
  }
}

test.each(['1', '2'])(
  '[CR18] what was under way when the machine stopped is known where the disk is device %s at its next start',
  async (devAfter) => {
    const bad: string[] = []
    let at = 1
    for (; ; at++) {
      const found = await foundAfter(at, devAfter)
      if (!found) break
      if (found.length > 0) bad.push(`before write ${at}: ${found.join(', ')}`)
    }
    expect(bad).toEqual([])
    expect(at).toBeGreaterThan(5)
  },
)
