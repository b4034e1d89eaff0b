import { type NodeEntry, type NodeId, ROOT } from '@tidemark/protocol'
import { hasPlace, isAlive } from '../core/visibility.js'
import type { KeyRange } from '../ports/key-value-store.js'
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
      encode: (entry) => entry && rows.encode(entry),
    })
    this.dirs = new RowCache<NodeId, DirRow>({ txn, keyOf: keys.dir, decode: decodeDir, encode: encodeDir })
    this.slots = new RowCache<string, SlotRow>({
      txn,
      keyOf: (key) => key,
      decode: decodeSlot,
      encode: encodeSlot,
    })
  }

  /** In the upward closure. A file is there as long as it shows something. */
  async inU(entry: NodeEntry): Promise<boolean> {
    if (!hasPlace(entry)) return false
    return entry.kind === 'dir' ? (await this.dirs.get(entry.id)).inU : isAlive(entry)
  }

  /** A directory that entries can stand in. */
  async isParent(id: NodeId): Promise<boolean> {
    return id === ROOT || (await this.dirs.get(id)).inU
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
