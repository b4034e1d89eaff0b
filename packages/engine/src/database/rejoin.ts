import {
  type DeviceId,
  decodeNodeEntry,
  encodeNodeEntry,
  type NodeEntry,
  type ReplicaId,
  type Vector,
  vectorAtMost,
  vectorHas,
} from '@tidemark/protocol'
import { meetVectors } from '../core/collectable.js'
import { entryKey, type ViewEntry } from '../core/view-entry.js'
import { visibleContents } from '../core/visibility.js'
import type { KeyValueReader } from '../ports/key-value-store.js'
import { decodeJson, encodeJson } from './json-row.js'
import { decodeOrphan, encodeOrphan, type Orphan } from './orphan.js'
import type { Transaction } from './transaction.js'
import type { TreeReader } from './tree-reader.js'

/**
 * `forget`: we were behind. What the peer has or had goes, and comes from it again.
 * `relearn`: the peer is behind, and is the one that counts, a hub that was put back to a backup. Nothing
 * goes; what was collected here and is alive there comes back.
 */
export type RejoinMode = 'forget' | 'relearn'

export interface RejoinState {
  readonly mode: RejoinMode
  readonly peer: DeviceId
  /** What this database had before. */
  readonly frontier: Vector
  /** What had been collected here, or before us. */
  readonly floor: Vector
  /** What the peer had; what is above it only we may have. */
  readonly shared: Vector
  /**
   * Of what is forgotten: it is noted, then taken away; then the peer's state is awaited. `restore`: in vain, and what
   * was forgotten comes back.
   */
  readonly phase: 'note' | 'wipe' | 'wait' | 'restore'
}

interface Row {
  readonly mode: RejoinMode
  readonly peer: DeviceId
  readonly frontier: readonly (readonly [ReplicaId, number])[]
  readonly floor: readonly (readonly [ReplicaId, number])[]
  readonly shared: readonly (readonly [ReplicaId, number])[]
  readonly phase: RejoinState['phase']
}

/**
 * Beginning anew (design 5.5): a replica that was away while others collected what it still holds, or that
 * went back to an old backup, forgets everything, and takes the peer's state. What only it had comes back
 * as new files and directories (see `Orphan`): to write on in a node that somebody has collected, or in a
 * directory, would show it here and nowhere else (semantics-rules B5).
 */
export class Rejoin {
  readonly #prefix: string
  #state: RejoinState | undefined
  #isUnsettled = false

  constructor(prefix: string) {
    this.#prefix = prefix
  }

  get state(): RejoinState | undefined {
    return this.#state
  }

  get isUnsettled(): boolean {
    return this.#isUnsettled
  }

  async load(kv: KeyValueReader): Promise<void> {
    this.#isUnsettled = (await kv.get(`${this.#prefix}unsettled`)) !== undefined
    const row = decodeJson<Row>(await kv.get(`${this.#prefix}state`))
    if (!row) return
    const [frontier, floor, shared] = [row.frontier, row.floor, row.shared].map((dots) => new Map(dots))
    this.#state = { ...row, frontier: frontier!, floor: floor!, shared: shared! }
  }

  /** @returns makes it visible once the batch is in. */
  begin(txn: Transaction, state: RejoinState): () => void {
    return this.#put(txn, state)
  }

  /** Whether all is here again with a sync point of this peer. */
  isEndedBy(peer: DeviceId, frontier: Vector): boolean {
    const state = this.#state
    if (state?.phase !== 'wait') return false
    if (state.mode === 'relearn') return peer === state.peer
    return vectorAtMost(meetVectors([state.frontier, state.shared]), frontier)
  }

  /** @returns makes it visible once the batch is in. */
  moveTo(txn: Transaction, phase: RejoinState['phase']): () => void {
    return this.#put(txn, { ...this.#state!, phase })
  }

  /** @returns makes it visible once the batch is in. */
  end(txn: Transaction): () => void {
    txn.del(`${this.#prefix}state`)
    return () => {
      this.#state = undefined
    }
  }

  /** The binder's rows are older than the trees, until it says otherwise. @returns makes it visible. */
  setUnsettled(txn: Transaction, isUnsettled: boolean): () => void {
    const key = `${this.#prefix}unsettled`
    if (isUnsettled) txn.put(key, encodeJson(1))
    else txn.del(key)
    return () => {
      this.#isUnsettled = isUnsettled
    }
  }

  /** Notes what will be shown nowhere: versions, and directories, that the peer has not. */
  async noteOrphans(txn: Transaction, nodes: readonly NodeEntry[], reader: TreeReader): Promise<void> {
    for (const node of nodes) {
      for (const { entry, written } of await this.#ownOf(node, reader)) {
        const orphan: Orphan = { node: node.id, path: await reader.pathOf(entry), entry, written }
        // Of one node there may be another version, from a beginning that has not ended (seed 1449 of `collect`).
        const key = `${entryKey(entry)}/${entry.version?.root ?? ''}`
        txn.put(`${this.#prefix}o/${key}`, encodeOrphan(orphan))
      }
    }
  }

  async #ownOf(
    node: NodeEntry,
    reader: TreeReader,
  ): Promise<{ entry: ViewEntry; written?: NodeEntry | undefined }[]> {
    const { shared } = this.#state!
    const main = await reader.entry(node.id)
    if (node.kind === 'dir')
      return main && !node.loc.some(({ dot }) => vectorHas(shared, dot)) ? [{ entry: main }] : []
    const own: { entry: ViewEntry; written: NodeEntry }[] = []
    for (const sibling of visibleContents(node)) {
      const { dot, value } = sibling
      if (vectorHas(shared, dot)) continue
      const written = { ...node, loc: [], content: [sibling], attr: [] }
      const entry = (await reader.entry(`${node.id}:${value.root}`)) ?? main
      if (entry && entry.version?.root === value.root) own.push({ entry, written })
    }
    return own
  }

  /** Until the peer's state is here: it may go back meanwhile. */
  keepAside(txn: Transaction, nodes: readonly NodeEntry[]): void {
    for (const node of nodes) txn.put(`${this.#prefix}aside/${node.id}`, encodeNodeEntry(node))
  }

  /** In pages, with the keys of their rows. */
  async *aside(kv: KeyValueReader): AsyncGenerator<readonly { key: string; node: NodeEntry }[]> {
    for await (const page of kv.range({ gte: `${this.#prefix}aside/`, lt: `${this.#prefix}aside0` })) {
      yield page.map(([key, row]) => ({ key, node: decodeNodeEntry(row) }))
    }
  }

  /** Whether this peer no longer has what was forgotten for its sake. */
  isBaseLost(peer: DeviceId, frontier: Vector): boolean {
    const state = this.#state
    if (state?.mode !== 'forget' || state.peer !== peer) return false
    return !vectorAtMost(meetVectors([state.frontier, state.shared]), frontier)
  }

  /**
   * Whether the peer that is behind has gone back once more: of what was collected here it has less than was
   * thought, and what must not be claimed to it is more.
   */
  isLessShared(peer: DeviceId, frontier: Vector): boolean {
    const state = this.#state
    if (state?.mode !== 'relearn' || state.phase !== 'wait' || state.peer !== peer) return false
    return !vectorAtMost(meetVectors([state.floor, state.shared]), frontier)
  }

  /** As if it had not begun. @returns makes it visible once the batch is in. */
  abandon(txn: Transaction): () => void {
    txn.del(`${this.#prefix}state`)
    return () => {
      this.#state = undefined
    }
  }

  /** In pages, with the keys of their rows. */
  async *orphans(kv: KeyValueReader): AsyncGenerator<readonly { key: string; orphan: Orphan }[]> {
    for await (const page of kv.range({ gte: `${this.#prefix}o/`, lt: `${this.#prefix}o0` })) {
      yield page.map(([key, bytes]) => ({ key, orphan: decodeOrphan(bytes) }))
    }
  }

  #put(txn: Transaction, state: RejoinState): () => void {
    const { frontier, floor, shared } = state
    const row: Row = { ...state, frontier: [...frontier], floor: [...floor], shared: [...shared] }
    txn.put(`${this.#prefix}state`, encodeJson(row))
    return () => {
      this.#state = state
    }
  }
}
