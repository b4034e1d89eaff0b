import {
  decodeNodeEntry,
  encodeNodeEntry,
  equalBytes,
  type NodeEntry,
  type NodeId,
  rememberEncoding,
} from '@tidemark/protocol'
import type { KeyValueStore } from '../ports/key-value-store.js'

/** Nodes of a few frames or groups: some MiB, whatever the size of the tree. */
const RECENT_MAX = 4_096

const OF_STORE = new WeakMap<KeyValueStore, NodeRows>()

/** All spaces in one store have these in common, so that the bound holds however many a hub has. */
export function nodeRowsOf(store: KeyValueStore): NodeRows {
  const rows = OF_STORE.get(store) ?? new NodeRows()
  OF_STORE.set(store, rows)
  return rows
}

/**
 * Rows of nodes. What was written or read lately is not decoded again when its row comes back from the
 * store: a node that arrives is soon sent on, and shown on disk. An entry is taken again only for the very
 * same bytes, so it may be shared by several trees, snapshots and transactions. Entries are immutable.
 */
export class NodeRows {
  readonly #recent = new Map<NodeId, { readonly row: Uint8Array; readonly entry: NodeEntry }>()

  /** @param row Of the node `id`; nobody changes it any more. */
  decode(row: Uint8Array, id: NodeId): NodeEntry {
    const recent = this.#recent.get(id)
    if (recent && equalBytes(recent.row, row)) return recent.entry
    const entry = decodeNodeEntry(row)
    rememberEncoding(entry, row)
    this.#keep(row, entry)
    return entry
  }

  encode(entry: NodeEntry): Uint8Array {
    const row = encodeNodeEntry(entry)
    this.#keep(row, entry)
    return row
  }

  #keep(row: Uint8Array, entry: NodeEntry): void {
    this.#recent.delete(entry.id)
    this.#recent.set(entry.id, { row, entry })
    if (this.#recent.size <= RECENT_MAX) return
    const [oldest] = this.#recent.keys()
    this.#recent.delete(oldest!)
  }
}
