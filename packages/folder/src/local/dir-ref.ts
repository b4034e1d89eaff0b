import type { EntryKey, ParentRef } from '@tidemark/engine'
import { type NodeId, ROOT } from '@tidemark/protocol'
import type { SyncedRow } from '../rows.js'

/**
 * A directory on disk during one pass: an entry of the space, or one that is about to become one. What
 * is found in it can be planned before its own op is committed.
 */
export class DirRef {
  #known: { readonly key: EntryKey; readonly node: NodeId } | undefined

  private constructor(
    /** Relative to the bound directory; `''` is the bound directory. */
    readonly path: string,
    readonly ino: string,
    /** Names it within a batch. */
    readonly ref: string,
    known: { readonly key: EntryKey; readonly node: NodeId } | undefined,
  ) {
    this.#known = known
  }

  static root(ino: string): DirRef {
    return new DirRef('', ino, ROOT, { key: ROOT, node: ROOT })
  }

  static ofRow(row: SyncedRow, path: string, ino: string): DirRef {
    return new DirRef(path, ino, row.key, { key: row.key, node: row.entry.node })
  }

  static created(path: string, ino: string, ref: string): DirRef {
    return new DirRef(path, ino, ref, undefined)
  }

  /** Its entry's key; `undefined` before it is committed. */
  get key(): EntryKey | undefined {
    return this.#known?.key
  }

  get node(): NodeId | undefined {
    return this.#known?.node
  }

  get asParent(): ParentRef {
    return this.#known ? { node: this.#known.node } : { ref: this.ref }
  }

  settle(key: EntryKey, node: NodeId): void {
    this.#known = { key, node }
  }

  pathOf(name: string): string {
    return this.path === '' ? name : `${this.path}/${name}`
  }
}
