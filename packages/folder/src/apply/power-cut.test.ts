import type { SpaceBinding } from '@tidemark/engine'
import { expect, test } from 'vitest'
import type { ApplyContext } from '../apply-context.js'
import { homeOf, prepareHome } from '../home.js'
import { RefusedFiles } from '../local/refused.js'
import type { FileSystem } from '../ports/file-system.js'
import { RowsStore } from '../rows-store.js'
import { type DiskTree, textsBelow, userTree } from '../testing/disk-tree.js'
import { SimulatedDisk } from '../testing/simulated-disk.js'
import { applyRemote } from './apply-remote.js'
import { recover } from './recover.js'
import { AFTER, BEFORE } from './testing/every-step.js'
import { FakeSpace, type Thing } from './testing/fake-space.js'
import { foundByScan } from './testing/found-by-scan.js'
import { rulesThatHide } from './testing/rules.js'
import { Crash, intercepted, treeOf } from './testing/world.js'

const never = new AbortController().signal
const ROOT = '/folder'
/** Outcomes of a cut that are looked at after each call. */
const CUTS_PER_CALL = Number(process.env.TIDEMARK_CUTS ?? 2)

/** A folder on a disk that loses what nobody made durable. */
class World {
  readonly disk = new SimulatedDisk({ clock: { nowMs: () => 1_700_000_000_000 } })
  readonly space = new FakeSpace()

  constructor() {
    this.disk.mkdir(ROOT)
    prepareHome(this.disk, homeOf(ROOT))
  }

  ctx(files: FileSystem = this.disk): ApplyContext {
    const { staging, trash } = homeOf(ROOT)
    return {
      // The parts of a binding that applying uses.
      space: this.space as unknown as SpaceBinding,
      rows: new RowsStore(this.space.kv),
      files,
      clock: { nowMs: () => 1_700_000_000_000 },
      directory: ROOT,
      staging,
      trash,
      onEvent: () => {},
      expectHints: () => {},
      rules: rulesThatHide(() => false),
      refused: new RefusedFiles(),
      abandoned: new Set<string>(),
      isConnected: () => true,
      isSent: () => true,
      isReadOnly: () => false,
    }
  }

  async show(things: readonly Thing[], when = ''): Promise<void> {
    this.space.show(things)
    for (let round = 0; round < 5 && (await this.space.dirty(1)).length > 0; round++) {
      await applyRemote(this.ctx(), never)
    }
    expect(this.tree(), when).toEqual(treeOf(things))
  }

  tree(): DiskTree {
    return userTree(this.disk, ROOT)
  }

  /** Everything anywhere, trash and staging included. */
  bytes(): Set<string> {
    return textsBelow(this.disk, '')
  }
}

const KNOWN = new Set([...BEFORE, ...AFTER].flatMap(({ bytes }) => (bytes === undefined ? [] : [bytes])))

function expectNothingTornOrLost(world: World, when: string): void {
  for (const [path, text] of Object.entries(world.tree())) {
    if (text === '/' || text.startsWith('->')) continue
    expect(KNOWN.has(text), `${when}: ${path} is torn: ${JSON.stringify(text.slice(0, 20))}`).toBe(true)
  }
  const bytes = world.bytes()
  for (const { bytes: text } of BEFORE) {
    if (text !== undefined) expect(bytes.has(text), `${when}: ${text} is lost`).toBe(true)
  }
}

/** mulberry32, a small generator in the public domain by Tommy Ettinger. */
function diceOf(seed: number): { below(below: number): number } {
  let state = seed >>> 0
  return {
    below(below) {
      state = (state + 0x6d2b79f5) >>> 0
      let t = Math.imul(state ^ (state >>> 15), 1 | state)
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
      return ((t ^ (t >>> 14)) >>> 0) % below
    },
  }
}

/** The power goes before call number `at`. @returns whether there was such a call. */
async function cutAt(at: number, seed: number): Promise<boolean> {
  const world = new World()
  await world.show(BEFORE)
  await world.disk.syncAll()
  await world.space.writeRows([], { sync: true })
  world.space.show(AFTER)
  let calls = 0
  let isDead = false
  const cut = () => {
    if (isDead || calls++ === at) {
      isDead = true
      throw new Crash(`call ${at}`)
    }
  }
  world.space.beforeWrite = cut
  const died = await applyRemote(world.ctx(intercepted(world.disk, cut)), never).then(
    () => false,
    (error) => {
      if (!(error instanceof Crash)) throw error
      return true
    },
  )
  world.space.beforeWrite = () => {}
  const dice = diceOf(1000 * at + seed)
  world.disk.powerCut(dice)
  world.space.powerCut(dice.below(world.space.unsyncedWrites + 1))
  const when = `the power went before call ${at}, outcome ${seed}`
  expectNothingTornOrLost(world, when)
  await recover(world.ctx())
  expectNothingTornOrLost(world, `recovered after ${when}`)
  expect(await foundByScan(world.ctx(), world.tree()), `recovered after ${when}`).toEqual([])
  await world.show(AFTER, when)
  expectNothingTornOrLost(world, `at the end after ${when}`)
  return died
}

test(
  '[CR18] a power cut before any call to disk or database loses nothing, tears nothing, and ends equal',
  async () => {
    for (let seed = 0; seed < CUTS_PER_CALL; seed++) {
      let at = 0
      while (await cutAt(at, seed)) at++
      expect(at).toBeGreaterThan(150)
    }
  },
  CUTS_PER_CALL * 60_000,
)
