import { expect, test } from 'vitest'
import { seededBytes } from '../../engine/test/bytes.js'
import { mortal } from './sweep-troubles.js'
import { DAY, type File, fileOf, KEEP_MS, SweepWorld } from './sweep-world.js'

/** More writes than a pass makes. */
const CALLS_MAX = 100

interface Swept {
  readonly world: SweepWorld
  /** What registers name. */
  readonly named: readonly File[]
}

/** A hub whose next pass marks, condemns, rewrites a pack and deletes another one. */
async function due(): Promise<Swept> {
  const world = new SweepWorld()
  const files = await Promise.all(Array.from({ length: 8 }, (_, n) => fileOf(seededBytes(n + 1, 14_000))))
  const gone = await fileOf(seededBytes(20, 100_000))
  await world.store({ ...gone, pieces: files.flatMap(({ pieces }) => pieces) })
  await world.store(gone)
  for (const [n, file] of files.entries()) await world.write(n, file.content)
  await world.write(10, gone.content)
  for (const n of [0, 1, 2, 3, 4, 10]) await world.write(n, undefined)
  world.advance(DAY)
  await world.pass()
  world.advance(KEEP_MS)
  // Written and not condemned before, so that this pass does everything.
  await world.store(await fileOf(seededBytes(30, 1_000)))
  await world.restart()
  return { world, named: files.slice(5) }
}

async function check({ world, named }: Swept): Promise<void> {
  const ids = named.flatMap(({ pieces }) => pieces.map(({ id }) => id))
  expect(await world.lost(ids)).toEqual([])
  expect([...world.missingAtCrash, ...(await world.missing())]).toEqual([])
}

test.each([
  ['before a write', false, 0],
  ['after a write of which a power cut leaves nothing', true, 0],
  ['after a write', true, 1_000],
])('[BG21] [BG24] a hub that dies in a pass, %s, loses nothing, and goes on', async (_, isAfter, kept) => {
  let deaths = 0
  for (let calls = 0; calls < CALLS_MAX; calls++) {
    const swept = await due()
    const { world } = swept
    const died = mortal(world, calls, isAfter)
    const isDone = await Promise.race([world.pass().then(() => true), died.then(() => false)])
    world.around = (store) => store
    if (isDone) break
    deaths++
    await world.crash(kept)
    await check(swept)
    for (let i = 0; i < 3; i++) {
      world.advance(KEEP_MS)
      await world.pass()
      await check(swept)
    }
    // The pack with what lives.
    expect(await world.blobs()).toHaveLength(1)
  }
  // A pass that marks, rewrites and deletes makes as many at least.
  expect(deaths).toBeGreaterThan(6)
})
