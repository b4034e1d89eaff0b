import type { Inode } from './inode.js'

interface Change {
  /** Directories whose names it changed. */
  readonly directories: readonly Inode[]
  undo(): void
  /** It cannot be undone any more. */
  durable?(): void
}

/**
 * Changes of names and attributes that are not durable yet, in order. As in a journaling file system a
 * power cut keeps a beginning of them, and never half of one.
 */
export class MetadataJournal {
  #changes: Change[] = []

  /** Of something that was done. */
  add(directories: readonly Inode[], undo: () => void): void {
    this.#changes.push({ directories, undo })
  }

  /** Calls back when nothing of what was done until now can be undone any more; never, if it is undone. */
  whenDurable(durable: () => void): void {
    this.#changes.push({ directories: [], undo: () => undefined, durable })
  }

  /** The names in this directory are durable, and whatever happened before them. */
  sync(directory: Inode): void {
    const last = this.#changes.findLastIndex(({ directories }) => directories.includes(directory))
    this.#settle(last + 1)
  }

  syncAll(): void {
    this.#settle(this.#changes.length)
  }

  get length(): number {
    return this.#changes.length
  }

  /** Takes back what comes after the first `kept` changes. */
  cut(kept: number): void {
    for (const { undo } of this.#changes.splice(kept).reverse()) undo()
    this.#settle(this.#changes.length)
  }

  #settle(count: number): void {
    for (const { durable } of this.#changes.splice(0, count)) durable?.()
  }
}
