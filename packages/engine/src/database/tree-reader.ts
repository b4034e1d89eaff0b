import type { NodeEntry, NodeId } from '@tidemark/protocol'
import type { EntryKey, ViewEntry } from '../core/view-entry.js'

/**
 * Registers of one tree and their view. A space has two: `received` (all that the exchange brought and
 * all own writes) and `synced` (what is on this device's disk, and own writes).
 */
export interface TreeReader {
  /** The registers of a node. */
  node(id: NodeId): Promise<NodeEntry | undefined>
  /** By identity. */
  entry(key: EntryKey): Promise<ViewEntry | undefined>
  /** By place. `parent` may be any backing node of the directory. */
  lookup(parent: NodeId, name: string): Promise<ViewEntry | undefined>
  /** In pages, in no particular order. */
  children(parent: NodeId): AsyncIterable<readonly ViewEntry[]>
  /** The entry at a path (segments, NFC); `[]` is the root and has no entry. */
  resolve(path: readonly string[]): Promise<ViewEntry | undefined>
  /** Names from the root down to this entry. */
  pathOf(entry: ViewEntry): Promise<readonly string[]>
}
