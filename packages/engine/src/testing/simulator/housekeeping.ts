import { type ChunkId, type NodeEntry, type NodeId, vectorHas } from '@tidemark/protocol'
import { sameSiblings } from '../../core/same-siblings.js'
import { isAlive, visibleContents } from '../../core/visibility.js'
import type { Site } from './site.js'
import { mustHold } from './violation.js'
import { entriesIn, stateOf, type World } from './world.js'

/** Members, acknowledgements and collection: what hosts do every some minutes. */
export class Housekeeping {
  readonly #world: World
  readonly #rejoins = new Map<Site, number>()
  readonly #lives = new Map<Site, number>()
  /** What a site shows while all is well with it. */
  readonly #shown = new Map<Site, readonly ChunkId[]>()
  /** What sites showed that forgot it to begin anew. */
  readonly #owed = new Map<Site, { readonly timesBack: number; readonly roots: Set<ChunkId> }>()
  /** Somebody began anew, or was no member for a while: then some tombstones may stay for ever. */
  isDisturbed = false

  constructor(world: World) {
    this.#world = world
  }

  /** The first site decides who is a member, as a hub does. */
  get #hub(): Site {
    return this.#world.sites[0]!
  }

  /** A member is silent for too long. */
  async evict(): Promise<void> {
    const { random, sites, trace } = this.#world
    const site = random.pick(sites.slice(1))
    const { gc } = this.#hub.database
    if (!gc.members.devices.includes(site.device)) return
    this.isDisturbed = true
    trace.add(`${site.index} is evicted`)
    await gc.evict(site.device)
  }

  /** One site says how far it is, and collects. */
  async tick(site: Site): Promise<void> {
    const { gc } = site.database
    await gc.acknowledge()
    for (const link of this.#world.linksOf(site)) link.tellMembers(site)
    const before = stateOf(site)
    const epoch = gc.members.epoch
    const count = await gc.collect()
    this.#world.trace.add(`${site.index} collects ${count} under epoch ${epoch}`)
    const after = stateOf(site)
    for (const [id, entry] of before) {
      const now: NodeEntry | undefined = after.get(id)
      if (!now || (now.content.length < entry.content.length && !sameSiblings(now, entry))) {
        this.#checkKnown(site, entry)
        this.#world.ledger.collected(entry)
      }
    }
  }

  /** @throws {InvariantViolation} GC15: a member has not even heard of what was collected. */
  #checkKnown(collector: Site, { id, loc, content, attr }: NodeEntry): void {
    const { devices } = collector.database.gc.members
    for (const member of this.#world.sites) {
      // One that went back has acknowledged what it no longer has: it begins anew as soon as it hears of it.
      if (!devices.includes(member.device) || !this.#world.isSureAuthor(member)) continue
      // Nor does anybody know of a copy under the same name: it begins anew as well.
      if (this.#world.sites.some((other) => other !== member && other.device === member.device)) continue
      for (const { dot } of [...loc, ...content, ...attr]) {
        mustHold(
          vectorHas(member.database.frontier, dot),
          'GC15',
          () =>
            `${collector.name} collects ${id.slice(0, 6)}, of which ${member.name} lacks ${dot.rid}:${dot.seq}`,
        )
      }
    }
  }

  /** After each step: what a site forgot to begin anew is in doubt from now on. */
  watch(): void {
    for (const site of this.#world.sites) {
      if (!site.isOpen) continue
      // What a backup does not have was not forgotten by beginning anew.
      if (this.#lives.get(site) !== site.life) {
        this.#lives.set(site, site.life)
        this.#rejoins.delete(site)
        this.#shown.set(site, contentsOf(stateOf(site)))
      }
      const count = site.database.rejoins
      if ((this.#rejoins.get(site) ?? 0) === count && !site.database.isRejoining) {
        this.#shown.set(site, contentsOf(stateOf(site)))
        continue
      }
      // What is on a disk is the business of its folder.
      if (site.mode === 'direct') this.#owe(site)
      this.#rejoins.set(site, count)
      this.isDisturbed = true
      this.#world.forgot(site)
    }
  }

  #owe(site: Site): void {
    const timesBack = this.#world.timesBack(site)
    const before = this.#owed.get(site)
    const roots = before?.timesBack === timesBack ? before.roots : new Set<ChunkId>()
    for (const root of this.#shown.get(site) ?? []) roots.add(root)
    this.#owed.set(site, { timesBack, roots })
  }

  /** What was forgotten and taken away by nobody came back, unless an older backup lost it. */
  checkOwed(): void {
    const viewer = this.#world.sites.find(({ hasUser }) => hasUser)
    const shown = viewer ? entriesIn(viewer, 'received') : []
    const roots = new Set(shown.map(({ version }) => version?.root))
    for (const [site, owed] of this.#owed) {
      if (owed.timesBack !== this.#world.timesBack(site)) continue
      for (const root of owed.roots) {
        mustHold(
          roots.has(root) || this.#world.contents.isTakenAway(root),
          'NL11',
          () => `content ${root.slice(0, 8)} was forgotten by ${site.name}, which began anew`,
        )
      }
    }
  }

  /** In the end, when all is quiet: nothing dead is left anywhere. */
  async checkNothingDeadIsLeft(): Promise<void> {
    const { sites } = this.#world
    // Two with one name overwrite each other's word.
    if (new Set(sites.map(({ device }) => device)).size < sites.length) return
    for (const site of sites) {
      for await (const page of site.database.gc.dead()) {
        mustHold(page.length === 0, 'GC16', () => `${site.name} keeps ${page.length} dead nodes for ever`)
      }
    }
  }
}

const contentsOf = (state: ReadonlyMap<NodeId, NodeEntry>): ChunkId[] =>
  [...state.values()]
    .filter(isAlive)
    .flatMap((entry) => visibleContents(entry).flatMap(({ value }) => value.root ?? []))
