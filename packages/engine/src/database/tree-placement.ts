import { type Loc, type NodeEntry, type NodeId, ROOT, type Sibling } from '@tidemark/protocol'
import { compareSiblings } from '../core/register.js'
import { chosenLoc, refugesOf } from '../core/visibility.js'
import { Closure, type NodeChange } from './tree-closure.js'
import { type DirRow, encodeRow } from './tree-rows.js'
import type { TreeWorkspace } from './tree-workspace.js'

export type { NodeChange } from './tree-closure.js'

/** Where a node stands: below which node, under which literal name. */
export interface Spot {
  readonly parent: NodeId
  readonly name: string
}

/** Where a node stands, and on which directories that depends as long as its own parent is not there. */
interface Standing {
  readonly spot: Spot | undefined
  readonly waitsFor: readonly NodeId[]
}

const NOWHERE: Standing = { spot: undefined, waitsFor: [] }
const NOTHING = new Uint8Array(0)

/**
 * Steps 1 to 6 of placement, incrementally. A node stands below its chosen parent, unless
 *
 * - it is the latest of a cycle of directories, or a directory without its parent that has a choice of
 *   other places: what is above what then matters, so these few (`loose`) are placed again at each update;
 * - its parent is not there, and it is anything else: it waits for the directories that could take it,
 *   and is placed again only when one of them enters or leaves the closure.
 */
export class Placement {
  readonly #workspace: TreeWorkspace
  /** Where each touched node stood before this update. */
  readonly before = new Map<NodeId, Spot | undefined>()
  /** Where it stands now. */
  readonly after = new Map<NodeId, Spot | undefined>()
  readonly #waitedFor = new Map<NodeId, readonly NodeId[]>()
  #looseBefore: ReadonlyMap<NodeId, NodeId> = new Map()
  #loose: ReadonlyMap<NodeId, NodeId> = new Map()

  constructor(workspace: TreeWorkspace) {
    this.#workspace = workspace
  }

  async update(changes: ReadonlyMap<NodeId, NodeChange>): Promise<void> {
    this.#looseBefore = await this.#workspace.looseNodes()
    for (const [id, { before }] of changes) this.#note(id, before)
    for (const id of this.#looseBefore.keys()) await this.#remember(id)
    await new Closure(this.#workspace, (id, row) => this.#beforeFlip(id, row)).update(changes.values())
    this.#loose = await this.#placeLoose()
    for (const id of this.before.keys()) this.#settle(id)
    this.#writeLoose()
  }

  /** The node below which an entry of the tree stands after the update. */
  async parentNow(id: NodeId): Promise<NodeId | undefined> {
    if (this.after.has(id)) return this.after.get(id)?.parent
    return this.#standing(await this.#read(id), this.#loose).spot?.parent
  }

  async #beforeFlip(id: NodeId, row: DirRow): Promise<void> {
    await this.#remember(id)
    if (row.waiting === 0) return
    const waiting = await this.#workspace.waitingFor(id)
    await this.#workspace.nodes.prefetch(waiting)
    for (const node of waiting) await this.#remember(node)
  }

  /** Notes where an unchanged node stands, before something flips that could move it. */
  async #remember(id: NodeId): Promise<void> {
    if (!this.before.has(id)) this.#note(id, await this.#read(id))
  }

  /** A node, with all that `#standing` asks about it. */
  async #read(id: NodeId): Promise<NodeEntry | undefined> {
    const entry = await this.#workspace.nodes.get(id)
    await this.#workspace.prefetchAround([entry])
    return entry
  }

  #note(id: NodeId, entry: NodeEntry | undefined): void {
    const { spot, waitsFor } = this.#standing(entry, this.#looseBefore)
    this.before.set(id, spot)
    if (waitsFor.length > 0) this.#waitedFor.set(id, waitsFor)
  }

  #settle(id: NodeId): void {
    const { spot, waitsFor } = this.#standing(this.#workspace.nodes.now(id), this.#loose)
    this.after.set(id, spot)
    const waitedFor = this.#waitedFor.get(id) ?? []
    for (const dir of waitedFor) if (!waitsFor.includes(dir)) this.#wait(id, dir, false)
    for (const dir of waitsFor) if (!waitedFor.includes(dir)) this.#wait(id, dir, true)
  }

  #wait(id: NodeId, dir: NodeId, waits: boolean): void {
    const { txn, keys, dirs } = this.#workspace
    const row = dirs.now(dir)
    row.waiting += waits ? 1 : -1
    dirs.set(dir, row)
    if (waits) txn.put(keys.waiting(dir, id), NOTHING)
    else txn.del(keys.waiting(dir, id))
  }

  #standing(entry: NodeEntry | undefined, loose: ReadonlyMap<NodeId, NodeId>): Standing {
    const place = entry && chosenLoc(entry)
    if (!entry || !place || !this.#workspace.inU(entry)) return NOWHERE
    const { parent, name } = place.value
    const given = loose.get(entry.id)
    if (given !== undefined) return { spot: { parent: given, name }, waitsFor: [] }
    if (this.#workspace.isParent(parent)) return { spot: { parent, name }, waitsFor: [] }
    const waitsFor = new Set([parent])
    if (entry.kind !== 'dir') {
      for (const refuge of refugesOf(entry, place)) {
        if (refuge === ROOT) break
        waitsFor.add(refuge)
        if (this.#workspace.isParent(refuge)) {
          return { spot: { parent: refuge, name }, waitsFor: [...waitsFor] }
        }
      }
    }
    return { spot: { parent: ROOT, name }, waitsFor: [...waitsFor] }
  }

  /** Steps 5 and 6 for directories. @returns each loose one with the parent that it was given. */
  async #placeLoose(): Promise<Map<NodeId, NodeId>> {
    const loose = new Map<NodeId, Sibling<Loc>>()
    const checked = new Set<NodeId>()
    for (const id of [...this.before.keys()]) {
      const place = this.#placeInU(this.#workspace.nodes.now(id))
      if (!place) continue
      if (this.#workspace.isParent(place.value.parent)) {
        const cut = await this.#latestOfCycleAbove(id, checked)
        if (!cut) continue
        await this.#remember(cut.id)
        loose.set(cut.id, cut.place)
      } else {
        const [refuge] = refugesOf(this.#workspace.nodes.now(id)!, place)
        if (refuge !== undefined && refuge !== ROOT) loose.set(id, place)
      }
    }
    const placed = new Map<NodeId, NodeId>()
    for (const [id, place] of [...loose].sort(comparePlacesOfNodes)) {
      placed.set(id, await this.#refuge(id, place, loose, placed))
    }
    return placed
  }

  async #directoryPlace(id: NodeId): Promise<Sibling<Loc> | undefined> {
    return this.#placeInU(await this.#read(id))
  }

  /** The chosen loc of a directory in the closure. */
  #placeInU(entry: NodeEntry | undefined): Sibling<Loc> | undefined {
    return entry?.kind === 'dir' && this.#workspace.inU(entry) ? chosenLoc(entry) : undefined
  }

  /** @param checked Directories whose cycle, if there is one, is known; grows. */
  async #latestOfCycleAbove(
    start: NodeId,
    checked: Set<NodeId>,
  ): Promise<{ id: NodeId; place: Sibling<Loc> } | undefined> {
    const path: [NodeId, Sibling<Loc>][] = []
    let id = start
    while (id !== ROOT && !checked.has(id)) {
      const place = await this.#directoryPlace(id)
      if (!place) return undefined
      checked.add(id)
      path.push([id, place])
      id = place.value.parent
    }
    const closesAt = path.findIndex(([member]) => member === id)
    if (closesAt < 0) return undefined
    const [latest] = path.slice(closesAt).sort((a, b) => comparePlacesOfNodes(b, a))
    return latest && { id: latest[0], place: latest[1] }
  }

  /** The first place of a loose directory that is there and not below itself. */
  async #refuge(
    id: NodeId,
    place: Sibling<Loc>,
    loose: ReadonlyMap<NodeId, unknown>,
    placed: ReadonlyMap<NodeId, NodeId>,
  ): Promise<NodeId> {
    for (const parent of refugesOf(this.#workspace.nodes.now(id)!, place)) {
      if (parent === ROOT) break
      const isThere = this.#workspace.isParent(parent)
      if (isThere && !(await this.#isBelow(parent, id, loose, placed))) return parent
    }
    return ROOT
  }

  /** Whether `ancestor` is `start` or above it, as far as directories are placed. */
  async #isBelow(
    start: NodeId,
    ancestor: NodeId,
    loose: ReadonlyMap<NodeId, unknown>,
    placed: ReadonlyMap<NodeId, NodeId>,
  ): Promise<boolean> {
    let id: NodeId | undefined = start
    while (id !== undefined && id !== ROOT) {
      if (id === ancestor) return true
      id = loose.has(id) ? placed.get(id) : (await this.#directoryPlace(id))?.value.parent
    }
    return false
  }

  #writeLoose(): void {
    const { txn, keys } = this.#workspace
    for (const id of this.#looseBefore.keys()) if (!this.#loose.has(id)) txn.del(keys.loose(id))
    for (const [id, parent] of this.#loose) {
      if (this.#looseBefore.get(id) !== parent) txn.put(keys.loose(id), encodeRow(parent))
    }
  }
}

function comparePlacesOfNodes(
  a: readonly [NodeId, Sibling<Loc>],
  b: readonly [NodeId, Sibling<Loc>],
): number {
  return compareSiblings(a[1], b[1]) || (a[0] < b[0] ? -1 : 1)
}
