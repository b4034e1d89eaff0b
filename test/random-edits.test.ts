import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { EVERYDAY } from './support/acts.js'
import { randomOf } from './support/bytes.js'
import { expectNothingLost, Ledger } from './support/ledger.js'
import { World } from './support/processes.js'
import { readTree } from './support/trees.js'
import { type Habits, User } from './support/user.js'

const FILES = 300
const DIRECTORIES = 25
const EDITS_PER_SIDE = 200
const SEED = Number(process.env.TIDEMARK_SEED ?? 20_260_101)

const HABITS: Habits = {
  acts: EVERYDAY,
  repeats: (random) => (random() < 0.04 ? 12_000 : 1 + Math.floor(random() * 200)),
}

let world: World
beforeEach(() => {
  world = new World()
})
afterEach(() => world.close())

async function expectEqualAndNothingLost(
  users: readonly User[],
  hub: { url: string },
  ledger: Ledger,
): Promise<void> {
  const [left, right] = users as [User, User]
  for (let round = 0; round < 3; round++) {
    for (const { folder } of users) expect(await world.once(folder, hub), `seed ${SEED}`).toBe(0)
    if (JSON.stringify(readTree(left.folder)) === JSON.stringify(readTree(right.folder))) break
  }
  expect(readTree(right.folder), `seed ${SEED}`).toEqual(readTree(left.folder))
  expectNothingLost(left.folder, ledger, `seed ${SEED}`)
}

function makeUsers(ledger: Ledger, random: () => number): [User, User] {
  return ['ann', 'bob'].map((name) => {
    mkdirSync(world.path(name))
    return new User(name, world.path(name), ledger, HABITS, { random, grave: world.path(`grave-${name}`) })
  }) as [User, User]
}

test('[NL11] 200 random edits a side, made offline between syncs, end equal with nothing lost', async () => {
  const hub = await world.hub()
  const ledger = new Ledger()
  const [ann, bob] = makeUsers(ledger, randomOf(SEED))
  ann.plant({ files: FILES, directories: DIRECTORIES })
  await world.once(ann.folder, hub)
  await world.once(bob.folder, hub)
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < EDITS_PER_SIDE / 4; i++) for (const user of [ann, bob]) await user.act()
    for (const user of [ann, bob]) await world.once(user.folder, hub)
  }
  await expectEqualAndNothingLost([ann, bob], hub, ledger)
}, 120_000)

test('[NL11] 200 random edits a side under live sync end equal with nothing lost', async () => {
  const hub = await world.hub()
  const ledger = new Ledger()
  const random = randomOf(SEED + 1)
  const [ann, bob] = makeUsers(ledger, random)
  ann.plant({ files: FILES, directories: DIRECTORIES })
  const running = [ann, bob].map(({ folder }) => world.live(folder, hub))
  for (let i = 0; i < EDITS_PER_SIDE; i++) {
    for (const user of [ann, bob]) await user.act()
    await delay(random() * 30)
  }
  for (const process of running) expect(await process.stop()).toBe(0)
  expect(existsSync(join(ann.folder, '.tidemark'))).toBe(true)
  await expectEqualAndNothingLost([ann, bob], hub, ledger)
}, 120_000)
