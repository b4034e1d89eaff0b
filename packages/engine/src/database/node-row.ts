import {
  decodeNodeEntry,
  encodeNodeEntry,
  equalBytes,
  type NodeEntry,
  type NodeId,
  rememberEncoding,
} from '@tidemark/protocol'
import type { KeyValueStore } from '../ports/key-value-store.js'

/** Nodes of a few frames or groups, two rows each at most: some MiB, whatever the size of the tree. */
const RECENT_MAX = 4_096
/** Of these rows together: nodes that many have written to are long. */
const RECENT_BYTES_MAX = 8 * 1024 * 1024

interface Decoded {
  readonly row: Uint8Array
  readonly entry: NodeEntry
}

interface Recent extends Decoded {
  /** While a node is dirty, what is known of it and what the disk shows are read in turn. */
  readonly before: Decoded | undefined
}

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
  readonly #recent = new Map<NodeId, Recent>()
  #bytes = 0

  /** @param row Of the node `id`; nobody changes it any more. */
  decode(row: Uint8Array, id: NodeId): NodeEntry {
    const recent = this.#recent.get(id)
    if (recent && equalBytes(recent.row, row)) return recent.entry
    if (recent?.before && equalBytes(recent.before.row, row)) return recent.before.entry
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
    const last = this.#recent.get(entry.id)
    const before = last && (equalBytes(last.row, row) ? last.before : { row: last.row, entry: last.entry })
    if (last) this.#drop(entry.id, last)
    const recent = { row, entry, before }
    this.#recent.set(entry.id, recent)
    this.#bytes += bytesOf(recent)
    for (const [id, oldest] of this.#recent) {
      if (this.#recent.size <= RECENT_MAX && this.#bytes <= RECENT_BYTES_MAX) return
      this.#drop(id, oldest)
    }
  }

  #drop(id: NodeId, recent: Recent): void {
    this.#recent.delete(id)
    this.#bytes -= bytesOf(recent)
  }
}

const bytesOf = ({ row, before }: Recent): number => row.length + (before?.row.length ?? 0)
