import { type NodeEntry, type NodeId, ROOT } from '@tidemark/protocol'
import { hasPlace, isAlive, isEmpty } from '../core/visibility.js'
import type { Awaitable, KeyRange } from '../ports/key-value-store.js'
import type { NodeRows } from './node-row.js'
import { RowCache } from './row-cache.js'
import type { Transaction } from './transaction.js'
import {
  type DirRow,
  decodeDir,
  decodeRow,
  decodeSlot,
  encodeDir,
  encodeSlot,
  idOfKey,
  type SlotRow,
  type TreeKeys,
} from './tree-rows.js'

/**
 * Rows that one `join` reads and changes, kept until the end of that call. Nothing outlives it, so
 * memory follows the batch, not the tree.
 */
export class TreeWorkspace {
  readonly txn: Transaction
  readonly keys: TreeKeys
  readonly nodes: RowCache<NodeId, NodeEntry | undefined>
  readonly dirs: RowCache<NodeId, DirRow>
  /** By the row's key. */
  readonly slots: RowCache<string, SlotRow>

  constructor(txn: Transaction, keys: TreeKeys, rows: NodeRows) {
    this.txn = txn
    this.keys = keys
    this.nodes = new RowCache<NodeId, NodeEntry | undefined>({
      txn,
      keyOf: keys.node,
      decode: (bytes, id) => bytes && rows.decode(bytes, id),
      encode: (entry) => (entry && !isEmpty(entry) ? rows.encode(entry) : undefined),
    })
    this.dirs = new RowCache<NodeId, DirRow>({ txn, keyOf: keys.dir, decode: decodeDir, encode: encodeDir })
    this.slots = new RowCache<string, SlotRow>({
      txn,
      keyOf: (key) => key,
      decode: decodeSlot,
      encode: encodeSlot,
    })
  }

  /** Reads the directories on which it depends where these nodes stand: `inU` and `isParent` know them then. */
  prefetchAround(entries: Iterable<NodeEntry | undefined>): Awaitable<void> {
    const ids: NodeId[] = []
    for (const entry of entries) {
      if (entry?.kind === 'dir') ids.push(entry.id)
      for (const { value } of entry?.loc ?? []) {
        ids.push(value.parent)
        if (value.from !== undefined) ids.push(value.from)
      }
    }
    return this.dirs.prefetch(ids)
  }

  /** In the upward closure. A file is there as long as it shows something. */
  inU(entry: NodeEntry): boolean {
    if (!hasPlace(entry)) return false
    return entry.kind === 'dir' ? this.dirs.now(entry.id).inU : isAlive(entry)
  }

  /** A directory that entries can stand in. */
  isParent(id: NodeId): boolean {
    return id === ROOT || this.dirs.now(id).inU
  }

  /** Keys of the slots in a range, with the workspace's own changes; their rows are read. */
  async slotKeys(range: KeyRange): Promise<string[]> {
    const found = new Set<string>()
    for await (const page of this.txn.range(range)) for (const [key] of page) found.add(key)
    for (const key of this.slots.changed()) if (key >= range.gte && key < range.lt) found.add(key)
    await this.slots.prefetch(found)
    return [...found].sort()
  }

  /** Nodes that wait for `dir`. */
  async waitingFor(dir: NodeId): Promise<NodeId[]> {
    const found: NodeId[] = []
    for await (const page of this.txn.range(this.keys.waitingFor(dir))) {
      for (const [key] of page) found.push(idOfKey(key))
    }
    return found
  }

  async looseNodes(): Promise<Map<NodeId, NodeId>> {
    const loose = new Map<NodeId, NodeId>()
    for await (const page of this.txn.range(this.keys.allLoose())) {
      for (const [key, value] of page) loose.set(idOfKey(key), decodeRow<NodeId>(value)!)
    }
    return loose
  }

  /** Writes the changed rows into the transaction. */
  flush(): void {
    this.nodes.flush()
    this.dirs.flush()
    this.slots.flush()
  }
}
