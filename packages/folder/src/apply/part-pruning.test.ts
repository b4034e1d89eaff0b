import * as fs from 'node:fs'
import { ChunksMissingError } from '@tidemark/protocol'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { applyRemote } from './apply-remote.js'
import { Downloads } from './downloads.js'
import { PartPruning } from './part-pruning.js'
import { unsyncedFileSystem, World } from './testing/world.js'

const never = new AbortController().signal
const DAY_MS = 24 * 3_600_000

let world: World
let downloads: Downloads
let pruning: PartPruning
beforeEach(() => {
  world = new World()
  downloads = new Downloads()
  pruning = new PartPruning(world.ctx(), downloads, 0)
})
afterEach(async () => {
  await downloads.close()
  world.close()
})

const staging = (): string[] => fs.readdirSync(world.path('.tidemark/staging'))

/** @param isWhole Else the other half is missing. */
async function comes(version: string, isWhole: boolean): Promise<void> {
  world.space.show([{ id: 1, in: 0, name: 'large', bytes: version.repeat(500_000) }])
  let pieces = 0
  world.space.afterPiece = () => {
    if (!isWhole && ++pieces === 4) throw new ChunksMissingError([])
  }
  const ctx = world.ctx(unsyncedFileSystem)
  await applyRemote(ctx, never, downloads)
  await downloads.next()
  await applyRemote(ctx, never, downloads)
}
const isAllHere = async (): Promise<boolean> => (await world.space.dirty(1)).length === 0

test('parts of versions that others have replaced go when nothing is to come any more', async () => {
  for (const version of ['0', '1', '2']) {
    await comes(version, false)
    pruning.pruneIfDue(0, await isAllHere(), true)
  }
  expect(staging()).toHaveLength(3)
  await comes('3', true)
  expect(world.disk().large?.length).toBe(500_000)
  pruning.pruneIfDue(0, await isAllHere(), true)
  expect(staging()).toEqual([])
})

test('while something is still to come what was given up goes daily', async () => {
  await comes('0', false)
  world.nowMs += 8 * DAY_MS
  pruning.pruneIfDue(DAY_MS - 1, false, true)
  expect(staging()).toHaveLength(1)
  pruning.pruneIfDue(DAY_MS, false, false)
  expect(staging(), 'a half-done effect may need it').toHaveLength(1)
  pruning.pruneIfDue(DAY_MS, false, true)
  expect(staging()).toEqual([])
})

test('a part that is being continued stays', async () => {
  await comes('0', false)
  downloads.retry()
  world.nowMs += 8 * DAY_MS
  await applyRemote(world.ctx(unsyncedFileSystem), never, downloads)
  expect(downloads.isIdle).toBe(false)
  pruning.pruneIfDue(DAY_MS, false, true)
  expect(staging()).toHaveLength(1)
})
