import { describe } from './ledger.js'
import type { Link } from './link.js'
import type { Site } from './site.js'
import { mustHold } from './violation.js'
import { stateOf, type World } from './world.js'

const TEN_YEARS_MS = 10 * 365 * 86_400_000
const BACKUPS_KEPT_MAX = 3
const SITES_MAX = 5

export type Nemesis = keyof typeof WEIGHTS

/** How often each happens, against each other. */
const WEIGHTS = {
  cut: 14,
  connect: 26,
  repeat: 6,
  clog: 3,
  crash: 8,
  backup: 6,
  rollback: 3,
  clone: 1,
  clock: 3,
} as const

/** What goes wrong around the replicas. */
export class Troublemaker {
  readonly #world: World
  readonly #weights: Readonly<Record<Nemesis, number>>
  #rollbacks = 0
  /**
   * The one site that goes back in this run. When two do, nobody may be left who knows whose the writes of
   * a lost incarnation were: a known gap, see docs/simulator.md.
   */
  #victim: Site | undefined
  readonly #rollbacksMax: number
  readonly #isFree: boolean

  /** @param options.isFree Whether a copy may keep the name of the original, and talk to it without the hub. */
  constructor(world: World, options: { rollbacksMax: number; isFree: boolean }) {
    this.#world = world
    this.#isFree = options.isFree
    this.#rollbacksMax = options.rollbacksMax
    this.#weights = options.rollbacksMax > 0 ? WEIGHTS : { ...WEIGHTS, rollback: 0, clone: 0 }
  }

  async act(): Promise<void> {
    const { random, trace } = this.#world
    const what = random.weighted(this.#weights)
    trace.add(what)
    await this[what]()
  }

  async cut(): Promise<void> {
    this.#link((link) => link.isUp)?.cut()
  }

  async connect(): Promise<void> {
    this.#link((link) => !link.isUp && link.isPossible)?.connect()
  }

  async repeat(): Promise<void> {
    const { random } = this.#world
    this.#link((link) => link.isUp)?.repeat(random.chance(0.5) ? 0 : 1, 1 + random.below(5))
  }

  async clog(): Promise<void> {
    for (const link of this.#world.links) link.isSlow = false
    const link = this.#link(() => true)
    if (link) link.isSlow = true
  }

  async crash(): Promise<void> {
    const world = this.#world
    const site = world.random.pick(world.sites)
    this.#cutAll(site)
    const kept = world.random.below(site.store.unsyncedBatches + 1)
    world.trace.add(`${site.index} keeps ${kept}`)
    await site.crash(kept)
    await world.settle()
    const others = world.sites.filter((other) => other !== site)
    for (const write of world.ledger.doubt([site, ...others].map(stateOf))) {
      const isOwn = write.author === site.index && world.isSureAuthor(site)
      mustHold(!isOwn, 'CR18', () => `${describe(write)} was durable and a crash of its author took it away`)
    }
    world.checkSite(site)
  }

  async backup(): Promise<void> {
    const { random, sites } = this.#world
    const site = random.pick(sites)
    if (site.backups.length === BACKUPS_KEPT_MAX) site.backups.splice(random.below(BACKUPS_KEPT_MAX), 1)
    site.backups.push(site.store.backup())
  }

  async rollback(): Promise<void> {
    const world = this.#world
    if (this.#rollbacks >= this.#rollbacksMax) return
    const site = this.#victim ?? world.random.pick(world.sites)
    if (site.backups.length === 0) return
    this.#victim = site
    this.#rollbacks++
    this.#cutAll(site)
    world.wentBack(site)
    world.trace.add(`${site.index} goes back`)
    await site.restart(world.random.pick(site.backups).backup())
    await world.settle()
    world.ledger.doubt(world.sites.map(stateOf))
    if (site === world.sites[0]) world.ledger.doubtCollected()
    world.checkSite(site)
  }

  async clone(): Promise<void> {
    const world = this.#world
    if (world.sites.length >= SITES_MAX) return
    const site = world.random.pick(world.sites.filter((candidate) => candidate.hasUser))
    const peers = world.linksOf(site).map((link) => link.sites.find((other) => other !== site)!)
    // Mostly the copy notices that it stands elsewhere and takes a name of its own.
    const isTwin = world.random.chance(0.2) && this.#isFree
    const copy = await world.addSite(site.mode, site.store.backup(), isTwin ? site.device : undefined)
    world.trace.add(`${copy.index} is a ${isTwin ? 'twin' : 'copy'} of ${site.index}`)
    world.join(copy, world.random.pick(peers))
    if (!isTwin && this.#isFree && world.random.chance(0.5)) world.join(copy, site)
  }

  async clock(): Promise<void> {
    const { random, sites } = this.#world
    random.pick(sites).skewMs += random.chance(0.5) ? TEN_YEARS_MS : -TEN_YEARS_MS
  }

  #cutAll(site: Site): void {
    for (const link of this.#world.linksOf(site)) link.cut()
  }

  #link(fits: (link: Link) => boolean): Link | undefined {
    const links = this.#world.links.filter(fits)
    return links.length > 0 ? this.#world.random.pick(links) : undefined
  }
}
