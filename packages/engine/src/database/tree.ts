import type { NodeEntry, NodeId, NodeKind } from '@tidemark/protocol'
import type { Place } from '../core/ops/write-loc.js'
import { joinEntries } from '../core/register.js'
import type { Sha256 } from '../core/view/names.js'
import type { EntryKey, ViewChange, ViewEntry } from '../core/view-entry.js'
import type { KeyValueReader } from '../ports/key-value-store.js'
import { NodeRows } from './node-row.js'
import { readGrave, updateGraves } from './ops-graves.js'
import type { Transaction } from './transaction.js'
import { Closure, type NodeChange } from './tree-closure.js'
import { Groups } from './tree-groups.js'
import { Placement } from './tree-placement.js'
import { readTree } from './tree-queries.js'
import type { TreeReader } from './tree-reader.js'
import { decodeDir, decodeEntry, idOfKey, TreeKeys } from './tree-rows.js'
import { TreeWorkspace } from './tree-workspace.js'

export interface TreeOptions {
  /** ASCII; all rows of the tree start with it. */
  readonly prefix: string
  readonly sha256: Sha256
  /** Show entries; a hub keeps registers and what is above what. @default true */
  readonly view?: boolean
  /** Shared with another tree of the same nodes. */
  readonly rows?: NodeRows
}

export interface JoinResult {
  /** Nodes whose registers changed. */
  readonly nodes: readonly NodeEntry[]
  /** Exactly the difference of the view. */
  readonly changes: readonly ViewChange[]
}

/**
 * Registers and, incrementally, their view, both in the database: the object itself holds nothing, so
 * memory does not grow with the tree. A move of a directory costs the same whatever is inside, because
 * entries name their parent by id.
 */
export class Tree {
  readonly #keys: TreeKeys
  readonly #sha256: Sha256
  readonly #view: boolean
  readonly #rows: NodeRows

  constructor({ prefix, sha256, view = true, rows = new NodeRows() }: TreeOptions) {
    this.#keys = new TreeKeys(prefix)
    this.#sha256 = sha256
    this.#view = view
    this.#rows = rows
  }

  reader(kv: KeyValueReader): TreeReader {
    return readTree(kv, this.#keys, this.#rows)
  }

  /** Where entries lie, to read them ahead. */
  entryRows(keys: Iterable<EntryKey>): string[] {
    return Array.from(keys, this.#keys.entry)
  }

  /** Where the registers of nodes lie, to read them ahead. */
  nodeRows(ids: Iterable<NodeId>): string[] {
    return Array.from(ids, this.#keys.node)
  }

  /** Where the graves of places lie, to read them ahead. */
  graveRows(places: readonly { readonly kind: NodeKind; readonly place: Place }[]): string[] {
    return places.map(({ kind, place: { parent, name } }) => this.#keys.grave(kind, parent, name))
  }

  /** Reads ahead who stands at these places, and their directories. */
  async prefetchPlaces(txn: Transaction, places: readonly Place[]): Promise<void> {
    const parents = [...new Set(places.map(({ parent }) => parent))]
    await txn.prefetch(parents.flatMap((id) => [this.#keys.entry(id), this.#keys.dir(id)]))
    const reps = new Map<NodeId, NodeId>()
    for (const id of parents) reps.set(id, decodeDir(await txn.get(this.#keys.dir(id)), id).rep)
    await txn.prefetch(places.map(({ parent, name }) => this.#keys.slot(reps.get(parent)!, name)))
  }

  /** Registers of many nodes, in the order asked. */
  async nodes(kv: KeyValueReader, ids: readonly NodeId[]): Promise<(NodeEntry | undefined)[]> {
    const rows = await kv.getMany(ids.map(this.#keys.node))
    return rows.map((row, i) => (row === undefined ? undefined : this.#rows.decode(row, ids[i]!)))
  }

  /** Every node that has registers, in pages. */
  async *all(kv: KeyValueReader): AsyncGenerator<readonly NodeEntry[]> {
    for await (const page of kv.range(this.#keys.allNodes())) {
      yield page.map(([key, row]) => this.#rows.decode(row, idOfKey(key)))
    }
  }

  /** A dead node that last stood here, if one is remembered. */
  graveAt(kv: KeyValueReader, kind: NodeKind, place: Place): Promise<NodeId | undefined> {
    return readGrave(kv, this.#keys, kind, place)
  }

  /**
   * Joins registers (whole or only some siblings) into the tree.
   *
   * @throws {ProtocolError} KIND_CHANGED; the transaction must then be dropped.
   */
  async join(txn: Transaction, entries: readonly NodeEntry[]): Promise<JoinResult> {
    const workspace = new TreeWorkspace(txn, this.#keys, this.#rows)
    return this.#update(workspace, await joinNodes(workspace, entries))
  }

  /**
   * Puts these registers in the place of what is there, less than there was or nothing: what a collection
   * takes away, and what a device forgets that comes back after too long a time.
   */
  async replace(txn: Transaction, entries: readonly NodeEntry[]): Promise<JoinResult> {
    const workspace = new TreeWorkspace(txn, this.#keys, this.#rows)
    const { nodes } = workspace
    await nodes.prefetch(entries.map((entry) => entry.id))
    const changed = new Map<NodeId, NodeChange>()
    for (const after of entries) {
      const before = nodes.now(after.id)
      if (!before) continue
      changed.set(after.id, { before, after })
      nodes.set(after.id, after)
    }
    return this.#update(workspace, changed)
  }

  /**
   * For a tree that was written before what is dead, and for a hub what is above what, was kept: adds that for
   * these nodes. All of them, each once, before anything else changes.
   */
  async reindex(txn: Transaction, nodes: readonly NodeEntry[]): Promise<void> {
    const workspace = new TreeWorkspace(txn, this.#keys, this.#rows)
    const changes = new Map(
      nodes.map((after): [NodeId, NodeChange] => [after.id, { before: undefined, after }]),
    )
    if (!this.#view) {
      await workspace.prefetchAround(nodes)
      await new Closure(workspace, async () => undefined).update(changes.values())
    }
    await updateGraves(txn, this.#keys, changes)
    workspace.flush()
  }

  /** Every entry of the view, in pages. */
  async *entries(kv: KeyValueReader): AsyncGenerator<readonly ViewEntry[]> {
    for await (const page of kv.range(this.#keys.allEntries())) yield page.map(([, row]) => decodeEntry(row))
  }

  /** Nodes that are dead by themselves, in pages; directories among them may have a living descendant. */
  async *dead(kv: KeyValueReader): AsyncGenerator<readonly NodeId[]> {
    for await (const page of kv.range(this.#keys.allDead())) yield page.map(([key]) => idOfKey(key))
  }

  /** Of these nodes those in the closure: alive, or above something that is. */
  async inClosure(kv: KeyValueReader, ids: readonly NodeId[]): Promise<ReadonlySet<NodeId>> {
    const rows = await kv.getMany(ids.map(this.#keys.dir))
    return new Set(ids.filter((id, i) => decodeDir(rows[i], id).inU))
  }

  async #update(workspace: TreeWorkspace, changed: ReadonlyMap<NodeId, NodeChange>): Promise<JoinResult> {
    const changes = changed.size > 0 ? await this.#updateView(workspace, changed) : []
    await updateGraves(workspace.txn, this.#keys, changed)
    workspace.flush()
    return { nodes: [...changed.values()].map((change) => change.after), changes }
  }

  async #updateView(
    workspace: TreeWorkspace,
    changed: ReadonlyMap<NodeId, NodeChange>,
  ): Promise<readonly ViewChange[]> {
    await workspace.prefetchAround([...changed.values()].flatMap(({ before, after }) => [before, after]))
    if (!this.#view) {
      // What is above something alive is never collected: that much a hub must know.
      await new Closure(workspace, async () => undefined).update(changed.values())
      return []
    }
    const placement = new Placement(workspace)
    await placement.update(changed)
    return new Groups(workspace, this.#sha256, placement).update()
  }
}

/** @returns the nodes whose registers changed. */
async function joinNodes(
  workspace: TreeWorkspace,
  entries: readonly NodeEntry[],
): Promise<ReadonlyMap<NodeId, NodeChange>> {
  const { nodes } = workspace
  await nodes.prefetch(entries.map((entry) => entry.id))
  const changed = new Map<NodeId, NodeChange>()
  for (const incoming of entries) {
    const known = nodes.now(incoming.id)
    const after = known ? joinEntries(known, incoming) : incoming
    if (after === known) continue
    changed.set(incoming.id, {
      before: changed.has(incoming.id) ? changed.get(incoming.id)!.before : known,
      after,
    })
    nodes.set(incoming.id, after)
  }
  return changed
}

export type { EntryKey, ViewEntry }
