import type { SpaceMode } from '../../database/space-database.js'
import { makeBatch } from './batch.js'
import { CrossMoves } from './cross-moves.js'
import { bringUpToDate, type Plan, planOf } from './disk.js'
import { checkEnd, checkViews, heal } from './final-checks.js'
import { Housekeeping } from './housekeeping.js'
import { Troublemaker } from './nemesis.js'
import type { PlantedBug } from './planted-bugs.js'
import { SeededRandom } from './random.js'
import type { Site } from './site.js'
import { Trace } from './trace.js'
import { quickOp } from './user.js'
import { mustHold } from './violation.js'
import { World } from './world.js'

/**
 * `exchange`: one tree a replica, single ops on few entries, as many runs as possible. `view`: people who
 * act on disks that lag behind, several ops at once, and everything that they must find on their disk.
 * `collect`: a hub and its devices, which acknowledge and collect all the time; members are evicted, and come
 * back. `refuse`: a hub that refuses any subset of writes, half of the time with all that `collect` does.
 */
export type Profile = (typeof PROFILES)[number]

export const PROFILES = ['exchange', 'view', 'collect', 'refuse'] as const

export interface SimulationOptions {
  readonly profile: Profile
  readonly seed: number
  /** User acts, frames and troubles before everything heals. */
  readonly steps: number
  readonly bug?: PlantedBug
  /** Gets what happens, line by line. */
  readonly print?: (line: string) => void
}

export interface SimulationResult {
  /** Those of healing included. */
  readonly steps: number
  /** Of everything that happened: equal for equal options. */
  readonly traceHash: string
  readonly framesSent: number
  readonly entriesSent: number
  /** Register writes by users. */
  readonly writes: number
}

/** How often a replica is held against everything that was written so far. */
const CHECK_SHARE = 0.03
/** How often every view is computed from nothing. */
const STEPS_PER_VIEW_CHECK = 20

/**
 * One run: a group of replicas, users, and a network that goes wrong; then everything heals and must fall
 * silent, equal, with nothing lost.
 *
 * @throws {InvariantViolation} with the broken rule of docs/invariants.md.
 */
export async function runSimulation(options: SimulationOptions): Promise<SimulationResult> {
  const { profile, seed, steps, bug, print } = options
  const random = new SeededRandom(seed)
  const trace = new Trace(print)
  const hasMembers = profile === 'collect' || (profile === 'refuse' && random.chance(0.5))
  const world = new World({
    random,
    trace,
    bug,
    encoded: random.chance(profile === 'view' ? 0.3 : 0.1),
    entriesPerFrameMax: random.pick([1, 1, 2, 100]),
    hasMembers,
    refuses: profile === 'refuse',
  })
  await buildGroup(world, profile)
  const keeping = hasMembers ? new Housekeeping(world) : undefined
  const run = new Run(world, profile, keeping)
  const crossMoves = profile === 'view' ? new CrossMoves(world, seed) : undefined
  for (const link of world.links) if (random.chance(0.8)) link.connect()
  for (let step = 0; step < steps; step++) {
    world.nowMs += random.below(2_000)
    await run.step()
    crossMoves?.maybeHappen()
    // Now and then the next thing happens before this one is through.
    if (random.chance(0.8)) {
      await world.settle()
      if (step % STEPS_PER_VIEW_CHECK === 0) checkViews(world)
    } else world.checkNothingBroke()
    keeping?.watch()
    if (random.chance(CHECK_SHARE)) world.checkSite(random.pick(world.sites))
  }
  await world.settle()
  let healing = await heal(world)
  keeping?.watch()
  await checkEnd(world)
  for (const site of world.sites) if (site.mode === 'bound') await bringUpToDate(site)
  if (keeping) healing += await collectAll(world, keeping)
  if (random.chance(0.25)) await checkSilence(world)
  for (const site of world.sites) trace.add(`${site.index} ends at ${site.database.lseq}`)
  return {
    steps: steps + healing,
    traceHash: trace.hash,
    framesSent: world.framesSent,
    entriesSent: world.entriesSent,
    writes: world.ledger.writes.length,
  }
}

/** Rounds of acknowledging after which everything dead is gone, when nobody writes: two steps, and tombstones. */
const COLLECT_ROUNDS = 10

async function collectAll(world: World, keeping: Housekeeping): Promise<number> {
  let frames = 0
  for (let round = 0; round < COLLECT_ROUNDS; round++) {
    for (const site of world.sites) await keeping.tick(site)
    frames += await heal(world)
    keeping.watch()
    for (const site of world.sites) if (site.mode === 'bound') await bringUpToDate(site)
  }
  await checkEnd(world)
  keeping.checkOwed()
  if (!keeping.isDisturbed && !world.isUnsure) await keeping.checkNothingDeadIsLeft()
  return frames
}

class Run {
  readonly #world: World
  readonly #profile: Profile
  readonly #trouble: Troublemaker
  readonly #troubleShare: number
  readonly #evicts: boolean
  readonly #plans = new Map<Site, { readonly life: number; readonly plan: Plan }>()

  constructor(
    world: World,
    profile: Profile,
    private readonly keeping: Housekeeping | undefined,
  ) {
    const { random } = world
    this.#world = world
    this.#profile = profile
    this.#evicts = keeping !== undefined && random.chance(0.5)
    const rollbacksMax = random.pick([0, 1, 1, 2])
    this.#trouble = new Troublemaker(world, { rollbacksMax, isFree: keeping === undefined })
    this.#troubleShare = random.pick([0.05, 0.15, 0.3])
  }

  async step(): Promise<void> {
    const { random, trace, links, sites } = this.#world
    if (this.keeping && random.chance(KEEPING_SHARE)) {
      if (this.#evicts && random.chance(0.05)) return this.keeping.evict()
      return this.keeping.tick(random.pick(sites))
    }
    if (random.chance(this.#troubleShare)) return this.#trouble.act()
    const ways = links.flatMap((link) =>
      link.isSlow && !random.chance(0.1) ? [] : link.pending().map((to) => ({ link, to })),
    )
    if (ways.length > 0 && random.chance(0.7)) {
      const { link, to } = random.pick(ways)
      trace.add(`${link.sites[to].index} gets ${link.deliver(to).type}`)
      return
    }
    const site = random.pick(sites.filter(({ hasUser }) => hasUser))
    if (site.mode === 'bound' && random.chance(0.4)) return this.#materialise(site)
    const { newText } = this.#world
    const isQuick = this.#profile !== 'view'
    void this.#world.commit(site, (entries) =>
      isQuick ? { ops: quickOp(entries, random, newText) } : makeBatch(entries, random, newText),
    )
  }

  /** Half of the time the plan is carried out later, when more has been received. */
  async #materialise(site: Site): Promise<void> {
    const { random, trace } = this.#world
    const ready = this.#plans.get(site)
    this.#plans.delete(site)
    const plan = ready?.life === site.life ? ready.plan : await planOf(site)
    if (!ready && random.chance(0.5)) {
      this.#plans.set(site, { life: site.life, plan })
      return
    }
    trace.add(`${site.index} shows ${plan.map(({ key }) => key.slice(0, 6)).join(' ')}`)
    await site.database.materialised(plan, [], { sync: random.chance(0.5) })
  }
}

const BOUND_SHARE: Readonly<Record<Profile, number>> = { exchange: 0, view: 0.7, collect: 0.5, refuse: 0.5 }

async function buildGroup(world: World, profile: Profile): Promise<void> {
  const { random } = world
  const count = 2 + random.below(3)
  const shape = world.hasMembers ? 'star' : random.pick(['star', 'star', 'chain', 'mesh'] as const)
  const boundShare = BOUND_SHARE[profile]
  const userMode = (): SpaceMode => (boundShare > 0 && random.chance(boundShare) ? 'bound' : 'direct')
  const relayShare = profile === 'exchange' ? 0.4 : 0.2
  for (let i = 0; i < count; i++) {
    // The last one always has a user.
    const isRelay = shape === 'star' && i === 0 ? true : i < count - 1 && random.chance(relayShare)
    await world.addSite(isRelay ? 'relay' : userMode())
  }
  const { sites } = world
  for (let i = 1; i < sites.length; i++) {
    if (shape === 'star') world.join(sites[i]!, sites[0]!)
    else if (shape === 'chain') world.join(sites[i]!, sites[i - 1]!)
    else for (let j = 0; j < i; j++) world.join(sites[i]!, sites[j]!)
  }
}

/** How often somebody acknowledges and collects: often enough that it happens between any two things. */
const KEEPING_SHARE = 0.15

/** Once all hold the same, new sessions say so and send nothing. */
async function checkSilence(world: World): Promise<void> {
  const before = world.entriesSent
  for (const link of world.links) link.cut()
  await heal(world)
  const again = world.entriesSent - before
  mustHold(again === 0, 'EX9', () => `equal replicas sent ${again} entries`)
}
