import { type DeviceId, type NodeEntry, vectorHas } from '@tidemark/protocol'
import { sameSiblings } from '../../core/same-siblings.js'
import type { Site } from './site.js'
import { mustHold } from './violation.js'
import { stateOf, type World } from './world.js'

/** Members, acknowledgements and collection: what hosts do every some minutes. */
export class Housekeeping {
  readonly #world: World
  readonly #rejoins = new Map<Site, number>()
  /** Somebody began anew, or was no member for a while: then some tombstones may stay for ever. */
  isDisturbed = false

  constructor(world: World) {
    this.#world = world
  }

  /** The first site decides who is a member, as a hub does. */
  get #hub(): Site {
    return this.#world.sites[0]!
  }

  /** All sites are members. */
  async admitAll(): Promise<void> {
    const devices = [...new Set(this.#world.sites.map(({ device }) => device))].sort()
    if (devices.join() === [...this.#hub.database.gc.members.devices].join()) return
    await this.#hub.database.gc.setMembers(devices as DeviceId[])
  }

  /** A member is silent for too long. */
  async evict(): Promise<void> {
    const { random, sites, trace } = this.#world
    const site = random.pick(sites.slice(1))
    const { gc } = this.#hub.database
    if (!gc.members.devices.includes(site.device)) return
    this.isDisturbed = true
    trace.add(`${site.index} is evicted`)
    await gc.setMembers(gc.members.devices.filter((device) => device !== site.device))
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
      const count = site.database.rejoins
      if ((this.#rejoins.get(site) ?? 0) === count && !site.database.isRejoining) continue
      this.#rejoins.set(site, count)
      this.isDisturbed = true
      this.#world.forgot(site)
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
