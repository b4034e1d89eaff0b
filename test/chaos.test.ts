import { mkdirSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { WILD } from './support/acts.js'
import { randomOf } from './support/bytes.js'
import { disagreements } from './support/device-database.js'
import { brief, expectNothingLost, Ledger, placesOf } from './support/ledger.js'
import { type Hub, type Running, until, World } from './support/processes.js'
import { readTree } from './support/trees.js'
import { type Habits, User } from './support/user.js'

/** Other seeds: `SEEDS=100-120`, or one: `SEEDS=111`. A failed one is kept on disk with `KEEP=1`. */
const SEEDS = seedsOf(process.env.SEEDS ?? '1-2')
const KEEP = process.env.KEEP !== undefined
const NAMES = ['ann', 'bob', 'cyd']
const FILES = 60
const DIRECTORIES = 8
const ROUNDS = 12
const ACTS_A_ROUND = 25
/** Without any edit, event or start, three live devices and the hub become equal within this. */
const EQUAL_MS_MAX = 90_000

const HABITS: Habits = {
  acts: WILD,
  repeats: (random) => {
    const dice = random()
    return dice < 0.03 ? 250_000 : dice < 0.07 ? 12_000 : 1 + Math.floor(random() * 200)
  },
}

function seedsOf(text: string): number[] {
  const [first, last] = text.split('-').map(Number) as [number, number?]
  return Array.from({ length: (last ?? first) - first + 1 }, (_, i) => first + i)
}

let world: World
beforeEach(() => {
  world = new World()
})
afterEach(async ({ task }) => {
  await world.close({ keep: KEEP && task.result?.state === 'fail' })
})

/** Three users at work, and a kill now and then of a device or of the hub. */
class Chaos {
  readonly users: readonly User[]
  readonly ledger = new Ledger()
  readonly #random: () => number
  readonly #devices = new Map<User, Running & { readonly errors: string[] }>()
  #hub: Hub

  constructor(seed: number, hub: Hub) {
    this.#random = randomOf(seed)
    this.#hub = hub
    this.users = NAMES.map((name) => {
      mkdirSync(world.path(name))
      const tools = { random: this.#random, grave: world.path(`grave-${name}`) }
      return new User(name, world.path(name), this.ledger, HABITS, tools)
    })
  }

  get hub(): Hub {
    return this.#hub
  }

  async start(): Promise<void> {
    this.users[0]!.plant({ files: FILES, directories: DIRECTORIES })
    for (const { folder } of this.users) await world.once(folder, this.#hub)
    for (const user of this.users) this.#start(user)
  }

  async round(): Promise<void> {
    for (let i = 0; i < ACTS_A_ROUND; i++) {
      for (const user of this.users) await user.act()
      await delay(this.#random() * 25)
    }
    for (const user of this.users) if (this.#random() < 0.45) await this.#kill(user)
    if (this.#random() < 0.3) {
      await this.#hub.kill()
      await delay(this.#random() * 300)
      this.#hub = await world.hub(this.#hub.port)
    }
    for (const [{ name }, { child, errors }] of this.#devices)
      expect(child.exitCode, `${name}: ${errors.join('\n')}`).toBe(null)
  }

  /** @throws the folders stay different, or one is not idle. */
  async becomesEqual(): Promise<void> {
    try {
      await until('all folders are equal and idle', () => this.#isEqual(), EQUAL_MS_MAX)
    } catch (error) {
      const states = await Promise.all(this.users.map(({ folder }) => world.status(folder)))
      await this.stop()
      const [first, ...others] = this.users.map(({ folder }) => readTree(folder))
      for (const tree of others) expect(tree, JSON.stringify(states)).toEqual(first)
      throw new Error(JSON.stringify(states), { cause: error })
    }
  }

  async stop(): Promise<void> {
    for (const device of this.#devices.values()) expect(await device.stop()).toBe(0)
  }

  /** Who did what with a content, and where it still is. */
  tell(text: string): string {
    const acts = this.users.flatMap(({ name, log }) =>
      log.filter((line) => line.includes(brief(text))).map((line) => `${name} ${line}`),
    )
    return [brief(text), ...acts.sort(), ...this.users.flatMap(({ folder }) => placesOf(folder, text))].join(
      '\n',
    )
  }

  async #isEqual(): Promise<boolean> {
    await delay(500)
    if (!this.#treesAreEqual()) return false
    const states = await Promise.all(this.users.map(({ folder }) => world.status(folder)))
    // What was under way while the trees were read shows in the second look.
    return states.every(({ state }) => state === 'idle') && this.#treesAreEqual()
  }

  #treesAreEqual(): boolean {
    try {
      const trees = this.users.map(({ folder }) => JSON.stringify(readTree(folder)))
      return trees.every((tree) => tree === trees[0])
    } catch (error) {
      // A path went away while it was read: then they are not at rest.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
      throw error
    }
  }

  async #kill(user: User): Promise<void> {
    await this.#devices.get(user)!.kill()
    const isBusy = this.#random() < 0.5
    for (let i = 0; isBusy && i < 5; i++) await user.act()
    this.#start(user)
  }

  #start(user: User): void {
    user.log.push(`${Date.now()} started`)
    const device = world.live(user.folder, this.#hub)
    // What it says it does stands between what its user does.
    device.child.stdout?.on('data', (text) => user.log.push(`${Date.now()}   ${String(text).trimEnd()}`))
    this.#devices.set(user, device)
  }
}

test.each(SEEDS)(
  '[NL11] three devices that are written to, killed and restarted become equal by themselves, nothing lost (SEEDS=%i)',
  async (seed) => {
    const chaos = new Chaos(seed, await world.hub())
    try {
      await chaos.start()
      for (let round = 0; round < ROUNDS; round++) await chaos.round()
      await chaos.becomesEqual()
      await chaos.stop()
      for (const { name, folder } of chaos.users)
        expect(await disagreements(folder, world.path(`database-${name}`)), name).toEqual([])
      const tree = readTree(chaos.users[0]!.folder)
      // What only a start would notice shows here.
      for (const { folder } of chaos.users) expect(await world.once(folder, chaos.hub)).toBe(0)
      for (const { name, folder } of chaos.users) expect(readTree(folder), name).toEqual(tree)
      expectNothingLost(chaos.users[0]!.folder, chaos.ledger, `seed ${seed}`, (text) => chaos.tell(text))
    } finally {
      for (const { name, log } of chaos.users) writeFileSync(world.path(`acts-${name}.log`), log.join('\n'))
    }
  },
  240_000,
)
