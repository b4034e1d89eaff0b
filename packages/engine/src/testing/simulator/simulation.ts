import type { SpaceMode } from '../../database/space-database.js'
import { checkEnd, heal } from './final-checks.js'
import { Troublemaker } from './nemesis.js'
import type { PlantedBug } from './planted-bugs.js'
import { SeededRandom } from './random.js'
import { Trace } from './trace.js'
import { entriesOf, quickOp } from './user.js'
import { mustHold } from './violation.js'
import { World } from './world.js'

export interface SimulationOptions {
  readonly seed: number
  /** User ops, frames and troubles before everything heals. */
  readonly steps: number
  readonly bug?: PlantedBug
  readonly print?: (line: string) => void
}

export interface SimulationResult {
  readonly steps: number
  readonly traceHash: string
  readonly framesSent: number
  readonly entriesSent: number
  readonly writes: number
}

/** One run of the exchange profile. @throws {InvariantViolation} */
export async function runExchange({ seed, steps, bug, print }: SimulationOptions): Promise<SimulationResult> {
  const random = new SeededRandom(seed)
  const trace = new Trace(print)
  const world = new World({
    random,
    trace,
    bug,
    encoded: random.chance(0.1),
    entriesPerFrameMax: random.pick([1, 1, 2, 100]),
  })
  await buildGroup(world)
  const trouble = new Troublemaker(world, { rollbacksMax: random.pick([0, 1, 1, 2]) })
  const share = random.pick([0.05, 0.15, 0.3])
  const checkShare = 0.03
  for (const link of world.links) if (random.chance(0.8)) link.connect()
  let done = 0
  for (; done < steps; done++) {
    world.nowMs += random.below(2_000)
    await step(world, trouble, share)
    if (random.chance(0.8)) await world.settle()
    else world.checkNothingBroke()
    if (random.chance(checkShare)) await world.checkSite(random.pick(world.sites))
  }
  await world.settle()
  done += await heal(world)
  await checkEnd(world)
  if (random.chance(0.25)) await checkSilence(world)
  for (const site of world.sites) trace.add(`${site.index} ends at ${site.database.lseq}`)
  return {
    steps: done,
    traceHash: trace.hash,
    framesSent: world.framesSent,
    entriesSent: world.entriesSent,
    writes: world.ledger.writes.length,
  }
}

async function step(world: World, trouble: Troublemaker, share: number): Promise<void> {
  const { random, trace } = world
  if (random.chance(share)) return trouble.act()
  const ways = world.links.flatMap((link) =>
    link.isSlow && !random.chance(0.1) ? [] : link.pending().map((to) => ({ link, to })),
  )
  if (ways.length > 0 && random.chance(0.7)) {
    const { link, to } = random.pick(ways)
    trace.add(`${link.sites[to].index} gets ${link.deliver(to).type}`)
    return
  }
  const site = random.pick(world.sites.filter((candidate) => candidate.hasUser))
  const ops = quickOp(await entriesOf(site.database.synced), random, world.newText)
  void world.commit(site, ops)
}

async function buildGroup(world: World): Promise<void> {
  const { random } = world
  const count = 2 + random.below(3)
  const shape = random.pick(['star', 'star', 'chain', 'mesh'] as const)
  const users: SpaceMode = 'direct'
  for (let i = 0; i < count; i++) {
    const isRelay = shape === 'star' ? i === 0 : i === 1 && count > 2 && random.chance(0.2)
    await world.addSite(isRelay ? 'relay' : users)
  }
  const { sites } = world
  for (let i = 1; i < sites.length; i++) {
    if (shape === 'star') world.join(sites[i]!, sites[0]!)
    else if (shape === 'chain') world.join(sites[i]!, sites[i - 1]!)
    else for (let j = 0; j < i; j++) world.join(sites[i]!, sites[j]!)
  }
}

/** Once all hold the same, new sessions say so and send nothing. */
async function checkSilence(world: World): Promise<void> {
  const before = world.entriesSent
  for (const link of world.links) link.cut()
  await heal(world)
  const again = world.entriesSent - before
  mustHold(again === 0, 'EX9', () => `equal replicas sent ${again} entries`)
}
