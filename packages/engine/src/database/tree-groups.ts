import { equalBytes, type NodeId, ROOT } from '@tidemark/protocol'
import { type Candidate, candidateOf, claimsName, resolveGroup, type Sha256 } from '../core/view/names.js'
import { namesDisturbedBy } from '../core/view/tags.js'
import { type EntryKey, entryKey, type ViewChange, type ViewEntry } from '../core/view-entry.js'
import { decodeEntry, encodeEntry } from './entry-row.js'
import type { Placement, Spot } from './tree-placement.js'
import { parseSlotKey } from './tree-rows.js'
import type { TreeWorkspace } from './tree-workspace.js'

/**
 * Names, incrementally: keeps which nodes stand under which literal name of which merged directory, and
 * resolves again just the groups that changed.
 */
export class Groups {
  readonly #workspace: TreeWorkspace
  readonly #sha256: Sha256
  readonly #placement: Placement
  readonly #dirty = new Set<string>()
  readonly #resolved = new Set<string>()
  /** Entries that the resolved groups showed before this update. */
  readonly #existing = new Set<EntryKey>()
  /** Entries shown now, with the group that shows them; `undefined`: no group does any more. */
  readonly #shown = new Map<EntryKey, { entry: ViewEntry; group: string } | undefined>()

  constructor(workspace: TreeWorkspace, sha256: Sha256, placement: Placement) {
    this.#workspace = workspace
    this.#sha256 = sha256
    this.#placement = placement
  }

  /** Follows the placement, resolves until nothing is dirty, writes the entries, and says what changed. */
  async update(): Promise<ViewChange[]> {
    await this.#moveNodes()
    await this.#prefetchCandidates()
    for (const key of this.#dirty) {
      // A set's iterator also visits what is added behind it.
      this.#dirty.delete(key)
      await this.#resolve(key)
    }
    return this.#write()
  }

  async #moveNodes(): Promise<void> {
    const { before, after } = this.#placement
    const parents = [...before.values(), ...after.values()].flatMap((spot) => spot?.parent ?? [])
    await this.#workspace.dirs.prefetch(parents)
    const moves = Array.from(before, ([id, spot]) => {
      return { id, from: this.#slotKey(spot), to: this.#slotKey(after.get(id)) }
    })
    await this.#workspace.slots.prefetch(moves.flatMap(({ from, to }) => [from, to]).filter(isKey))
    for (const { id, from, to } of moves) {
      if (from !== undefined) this.#dirty.add(from)
      if (to !== undefined) this.#dirty.add(to)
      if (from !== to) {
        if (from !== undefined) this.#leave(from, id)
        if (to !== undefined) this.#enter(to, id)
      }
      if (from !== undefined && to === undefined) await this.#standAlone(id)
    }
  }

  /** A directory that leaves the closure has no children any more: it represents itself again. */
  async #standAlone(id: NodeId): Promise<void> {
    const { dirs } = this.#workspace
    const row = await dirs.get(id)
    if (row.rep === id) return
    row.rep = id
    dirs.set(id, row)
  }

  async #prefetchCandidates(): Promise<void> {
    const ids: NodeId[] = []
    for (const key of this.#dirty) ids.push(...this.#workspace.slots.now(key).ids)
    await this.#workspace.nodes.prefetch(ids)
  }

  #slotKey(spot: Spot | undefined): string | undefined {
    if (!spot) return undefined
    const { dirs, keys } = this.#workspace
    return keys.slot(spot.parent === ROOT ? ROOT : dirs.now(spot.parent).rep, spot.name)
  }

  #leave(key: string, id: NodeId): void {
    const { slots } = this.#workspace
    const row = slots.now(key)
    slots.set(key, { ...row, ids: row.ids.filter((other) => other !== id) })
    this.#dirty.add(key)
  }

  #enter(key: string, id: NodeId): void {
    const { slots } = this.#workspace
    const row = slots.now(key)
    if (!row.ids.includes(id)) slots.set(key, { ...row, ids: [...row.ids, id].sort() })
    this.#dirty.add(key)
  }

  async #resolve(key: string): Promise<void> {
    const { slots, nodes } = this.#workspace
    const { parent, name } = parseSlotKey(key)
    const row = slots.now(key)
    if (!this.#resolved.has(key)) for (const old of row.keys) this.#existing.add(old)
    this.#resolved.add(key)
    await nodes.prefetch(row.ids)
    const candidates = this.#candidates(row.ids)
    if (candidates.some(({ entry }) => entry.kind === 'dir')) await this.#mergeDirectories(candidates)
    const claimed = candidates.some(claimsName)
    if (claimed !== row.claimed) await this.#disturb(parent, name)
    const entries = await this.#entries(parent, candidates)
    const keys = entries.map(entryKey)
    for (const old of row.keys) {
      const owner = this.#shown.get(old)
      if (owner === undefined || owner.group === key) this.#shown.set(old, undefined)
    }
    for (const [i, entry] of entries.entries()) this.#shown.set(keys[i]!, { entry, group: key })
    slots.set(key, { ...slots.now(key), keys, claimed })
  }

  /** Suffixed names have to give way to a claimed one, or need not any more. */
  async #disturb(parent: NodeId, name: string): Promise<void> {
    const { keys, slots } = this.#workspace
    const { names, prefixes } = namesDisturbedBy(name)
    const others = names.map((other) => keys.slot(parent, other))
    await slots.prefetch(others)
    for (const key of others) this.#dirty.add(key)
    for (const prefix of prefixes) {
      for (const key of await this.#workspace.slotKeys(keys.slotsWithPrefix(parent, prefix)))
        this.#dirty.add(key)
    }
  }

  #candidates(ids: readonly NodeId[]): Candidate[] {
    return ids.flatMap((id) => {
      const entry = this.#workspace.nodes.now(id)
      return (entry && candidateOf(entry)) ?? []
    })
  }

  /** `resolveGroup` asks about other names only when it makes suffixes: those are read, then it runs again. */
  async #entries(parent: NodeId, candidates: readonly Candidate[]): Promise<ViewEntry[]> {
    const { slots, keys } = this.#workspace
    const claims = new Map<string, boolean>()
    for (;;) {
      const unknown: string[] = []
      const isClaimed = (name: string) => {
        const known = claims.get(name)
        if (known === undefined) unknown.push(name)
        return known ?? false
      }
      const entries = resolveGroup(parent, candidates, isClaimed, this.#sha256)
      if (unknown.length === 0) return entries
      for (const name of unknown) claims.set(name, (await slots.get(keys.slot(parent, name))).claimed)
    }
  }

  /** Directories of one group share a representative; a new one takes their children over. */
  async #mergeDirectories(candidates: readonly Candidate[]): Promise<void> {
    const { dirs } = this.#workspace
    for (const alt of [false, true]) {
      const ids = candidates
        .filter(({ entry, place }) => entry.kind === 'dir' && (place.value.alt === true) === alt)
        .map(({ entry }) => entry.id)
      for (const id of ids) {
        const row = await dirs.get(id)
        const rep = ids[0]!
        if (row.rep === rep) continue
        const oldRep = row.rep
        row.rep = rep
        dirs.set(id, row)
        await this.#rekeyChildren(id, oldRep, rep)
      }
    }
  }

  async #rekeyChildren(dir: NodeId, oldRep: NodeId, newRep: NodeId): Promise<void> {
    const { slots, nodes, keys } = this.#workspace
    for (const key of await this.#workspace.slotKeys(keys.slotsOf(oldRep))) {
      const { ids } = slots.now(key)
      const newKey = keys.slot(newRep, parseSlotKey(key).name)
      await nodes.prefetch(ids)
      await slots.prefetch([newKey])
      for (const id of ids) {
        if ((await this.#placement.parentNow(id)) !== dir) continue
        this.#leave(key, id)
        this.#enter(newKey, id)
      }
    }
  }

  async #write(): Promise<ViewChange[]> {
    const { txn, keys } = this.#workspace
    const existing = [...this.#shown.keys()].filter((key) => this.#existing.has(key))
    const rows = await txn.getMany(existing.map(keys.entry))
    const stored = new Map(existing.map((key, i) => [key, rows[i]]))
    const changes: ViewChange[] = []
    for (const [key, shown] of this.#shown) {
      const bytes = stored.get(key)
      const row = shown && encodeEntry(shown.entry)
      if (bytes === row || (bytes && row && equalBytes(bytes, row))) continue
      if (row) txn.put(keys.entry(key), row)
      else txn.del(keys.entry(key))
      changes.push({
        key,
        ...(bytes ? { before: decodeEntry(bytes) } : {}),
        ...(shown ? { after: shown.entry } : {}),
      })
    }
    await this.#take(changes)
    return changes
  }

  /** Says in the slots who is shown under each name. */
  async #take(changes: readonly ViewChange[]): Promise<void> {
    const { slots, keys } = this.#workspace
    const keyOf = (entry: ViewEntry | undefined) => entry && keys.slot(entry.parent, entry.name)
    await slots.prefetch(changes.flatMap(({ before, after }) => [keyOf(before), keyOf(after)]).filter(isKey))
    for (const { before } of changes) {
      const key = keyOf(before)
      if (key !== undefined) slots.set(key, { ...slots.now(key), taken: undefined })
    }
    for (const { key: entry, after } of changes) {
      const key = keyOf(after)
      if (key !== undefined) slots.set(key, { ...slots.now(key), taken: entry })
    }
  }
}

const isKey = (key: string | undefined): key is string => key !== undefined
