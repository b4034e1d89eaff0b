import { type ChunkId, type Dot, type NodeId, type NodeKind, sameDot } from '@tidemark/protocol'

/** One version of a file or symlink: all visible content siblings with one root. */
export interface Version {
  readonly root: ChunkId
  readonly height: number
  readonly size: number
  readonly mtimeMs: number
  readonly target?: string
  /** The dots of the siblings that carry this root, sorted. */
  readonly dots: readonly Dot[]
}

/**
 * What the user sees at one place. Pure function of the registers.
 *
 * A directory entry may be backed by several directory nodes with one name (they merge); a file entry
 * by several nodes with equal roots.
 */
export interface ViewEntry {
  /** ROOT, or the representative (least id) of the merged parent directory. */
  readonly parent: NodeId
  /** Unique among the entries of `parent`. */
  readonly name: string
  readonly kind: NodeKind
  /** The node whose name is shown and that an op writes; for directories the least id of `backing`. */
  readonly node: NodeId
  /** All nodes behind this entry, sorted, `node` included. */
  readonly backing: readonly NodeId[]
  /** `main`: the node's own name. `conflict`: a losing version. `clash`: another node has the name. */
  readonly role: 'main' | 'conflict' | 'clash'
  readonly executable: boolean
  /** Files and symlinks. */
  readonly version?: Version
}

/**
 * Identity of an entry over time: a directory or main entry by its node, a conflict copy by node and
 * root. Two views are compared entry by entry under this key.
 */
export type EntryKey = string
export const entryKey = (entry: ViewEntry): EntryKey =>
  entry.role === 'conflict' ? `${entry.node}:${entry.version?.root}` : entry.node

/** Whether two views show the same at a key; `undefined`: nothing. */
export function sameEntry(a: ViewEntry | undefined, b: ViewEntry | undefined): boolean {
  if (a === b) return true
  return (
    a !== undefined &&
    b !== undefined &&
    a.name === b.name &&
    a.parent === b.parent &&
    a.kind === b.kind &&
    a.node === b.node &&
    a.role === b.role &&
    a.executable === b.executable &&
    a.backing.length === b.backing.length &&
    a.backing.every((id, i) => id === b.backing[i]) &&
    sameVersion(a.version, b.version)
  )
}

function sameVersion(a: Version | undefined, b: Version | undefined): boolean {
  if (a === b) return true
  return (
    a !== undefined &&
    b !== undefined &&
    a.root === b.root &&
    a.height === b.height &&
    a.size === b.size &&
    a.mtimeMs === b.mtimeMs &&
    a.target === b.target &&
    a.dots.length === b.dots.length &&
    a.dots.every((dot, i) => sameDot(dot, b.dots[i]!))
  )
}

/** What one update changed: at least one side is present. */
export interface ViewChange {
  readonly key: EntryKey
  readonly before?: ViewEntry
  readonly after?: ViewEntry
}
