import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { applyRemote } from './apply-remote.js'
import { recover } from './recover.js'
import { AFTER, BEFORE } from './testing/every-step.js'
import type { Thing } from './testing/fake-space.js'
import { foundByScan } from './testing/found-by-scan.js'
import { Crash, intercepted, treeOf, unsyncedFileSystem, World } from './testing/world.js'

const never = new AbortController().signal
const KNOWN_BYTES = new Set(
  [...BEFORE, ...AFTER].map(({ bytes }) => bytes).filter((bytes) => bytes !== undefined),
)

async function worldWith(things: readonly Thing[]): Promise<World> {
  const world = new World()
  world.space.show(things)
  await applyRemote(world.ctx(unsyncedFileSystem), never)
  expect(world.disk()).toEqual(treeOf(things))
  return world
}

function expectNothingTornOrLost(world: World, when: string): void {
  for (const [path, text] of Object.entries(world.disk())) {
    if (text !== '/' && !text.startsWith('->'))
      expect(KNOWN_BYTES.has(text), `${when}: ${path} is torn`).toBe(true)
  }
  const bytes = world.bytes()
  for (const { bytes: text } of BEFORE) {
    if (text !== undefined) expect(bytes.has(text), `${when}: ${text} is lost`).toBe(true)
  }
}

/** Runs a whole update and counts; a crash comes before call number `at`. */
async function crashedAt(at: number, crashesInRecovery: boolean): Promise<boolean> {
  const world = await worldWith(BEFORE)
  try {
    world.space.show(AFTER)
    let calls = 0
    let isDead = false
    const crash = () => {
      if (isDead || calls++ === at) {
        isDead = true
        throw new Crash(`call ${at}`)
      }
    }
    world.space.beforeWrite = crash
    const files = intercepted(unsyncedFileSystem, crash)
    const dies = await applyRemote(world.ctx(files), never).then(
      () => false,
      (error) => {
        if (!(error instanceof Crash)) throw error
        return true
      },
    )
    expectNothingTornOrLost(world, `after crash ${at}`)
    if (crashesInRecovery) await crashInRecovery(world, at)
    world.space.beforeWrite = () => {}
    await recover(world.ctx(unsyncedFileSystem))
    expectNothingTornOrLost(world, `after recovery from ${at}`)
    expect(
      await foundByScan(world.ctx(unsyncedFileSystem), world.disk()),
      `after recovery from ${at}`,
    ).toEqual([])
    for (let round = 0; round < 3 && (await world.space.dirty(1)).length > 0; round++) {
      await applyRemote(world.ctx(unsyncedFileSystem), never)
    }
    expect(world.disk(), `after crash ${at}`).toEqual(treeOf(AFTER))
    expect(await foundByScan(world.ctx(unsyncedFileSystem), world.disk()), `at the end of ${at}`).toEqual([])
    expectNothingTornOrLost(world, `at the end of ${at}`)
    return dies
  } finally {
    world.close()
  }
}

async function crashInRecovery(world: World, seed: number): Promise<void> {
  let left = (seed * 7) % 23
  const crash = () => {
    if (left-- <= 0) throw new Crash('in recovery')
  }
  world.space.beforeWrite = crash
  await recover(world.ctx(intercepted(unsyncedFileSystem, crash))).catch((error) => {
    if (!(error instanceof Crash)) throw error
  })
}

test('[CR18] a crash before any call to disk or database loses nothing, tears nothing, and ends equal', async () => {
  let at = 0
  while (await crashedAt(at, false)) at++
  expect(at).toBeGreaterThan(150)
}, 180_000)

test('[CR18] so does a crash whose recovery crashes too', async () => {
  for (let at = 0; await crashedAt(at, true); at += 2);
}, 180_000)

const LOOKS = new Set(['lstat', 'readdir', 'readlink', 'room', 'readFile', 'fsync', 'syncAll'])

type UserAct = (world: World) => string | undefined

/** What a user may do at any moment. Returns bytes that must still be in the folder at the end. */
const ACTS: Readonly<Record<string, UserAct>> = {
  'edits a file in place': (world) => {
    const path = ['docs/edit'].map((name) => world.path(name)).find((each) => fs.existsSync(each))
    if (!path) return undefined
    fs.appendFileSync(path, ' by me')
    return fs.readFileSync(path, 'utf8')
  },
  'saves a file by rename': (world) => {
    if (!fs.existsSync(world.path('docs'))) return undefined
    fs.writeFileSync(world.path('tmp'), 'saved by me')
    fs.renameSync(world.path('tmp'), world.path('docs/edit'))
    return 'saved by me'
  },
  'saves a file that is to move by rename': (world) => {
    fs.writeFileSync(world.path('tmp'), 'saved by me')
    if (!fs.existsSync(world.path('gone/moved'))) return undefined
    fs.renameSync(world.path('tmp'), world.path('gone/moved'))
    return 'saved by me'
  },
  'saves one of two that swap by rename': (world) => {
    fs.writeFileSync(world.path('tmp'), 'saved by me')
    fs.renameSync(world.path('tmp'), world.path('docs/swap-a'))
    return 'saved by me'
  },
  'makes a file where one is to come': (world) => {
    try {
      fs.writeFileSync(world.path('docs/moved here'), 'made by me', { flag: 'wx' })
      return 'made by me'
    } catch {
      return undefined
    }
  },
  'makes a file where a new one is to come': (world) => {
    try {
      fs.writeFileSync(world.path('taken/new'), 'made by me', { flag: 'wx' })
      return 'made by me'
    } catch {
      return undefined
    }
  },
  'makes a file in a directory that is to go': (world) => {
    try {
      fs.writeFileSync(world.path('gone/mine'), 'made by me')
      return 'made by me'
    } catch {
      return undefined
    }
  },
  'makes a file in a directory that is to move': (world) => {
    try {
      fs.writeFileSync(world.path('outer/mine'), 'made by me')
      return 'made by me'
    } catch {
      return undefined
    }
  },
}

test.each(Object.entries(ACTS))(
  '[PL17] a user who %s at any moment keeps the bytes',
  async (_, act) => {
    for (let at = 0; ; at++) {
      const world = await worldWith(BEFORE)
      try {
        world.space.show(AFTER)
        let moments = 0
        let mine: string | undefined
        let hasActed = false
        let isAfterChange = true
        const files = intercepted(unsyncedFileSystem, (call) => {
          // Between two looks nothing of ours happens: one moment there is enough.
          const isMoment = isAfterChange || !LOOKS.has(call)
          isAfterChange = !LOOKS.has(call)
          if (!isMoment || moments++ !== at) return
          hasActed = true
          mine = act(world)
        })
        await applyRemote(world.ctx(files), never)
        if (!hasActed) {
          expect(at).toBeGreaterThan(50)
          return
        }
        if (mine !== undefined) {
          const texts = Object.values(world.disk())
          expect(texts.includes(mine), `${mine}, before call ${at}: ${JSON.stringify(world.disk())}`).toBe(
            true,
          )
        }
        await recover(world.ctx(unsyncedFileSystem))
      } finally {
        world.close()
      }
    }
  },
  120_000,
)
