import { decodeNodeEntry, encodeNodeEntry, type NodeEntry, rememberEncoding } from '@tidemark/protocol'

/** Rows that a transaction or a store in memory hands out again: decoded once. */
const DECODED = new WeakMap<Uint8Array, NodeEntry>()

/** Rows are immutable, and so are entries. */
export function decodeNode(row: Uint8Array): NodeEntry {
  const known = DECODED.get(row)
  if (known) return known
  const entry = decodeNodeEntry(row)
  rememberEncoding(entry, row)
  DECODED.set(row, entry)
  return entry
}

export function encodeNode(entry: NodeEntry): Uint8Array {
  const row = encodeNodeEntry(entry)
  DECODED.set(row, entry)
  return row
}
