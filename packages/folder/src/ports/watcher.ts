import type { Problem } from '../rows.js'

export interface WatchEvents {
  /** Something in this directory (relative, `''`: the bound one) may be different. */
  hint(directory: string): void
  /** Events may have been lost anywhere. */
  overflow(): void
  /** Directories are not watched (any more), and why: the folder polls. */
  degraded(problem: Problem): void
}

/** Reports changes per directory, never below. Every report is only a hint. */
export interface Watcher {
  /**
   * Watches a directory from now on; call it before listing it. Idempotent; another inode under a known
   * path is watched anew.
   */
  add(directory: string, ino: string): void
  /**
   * Whether changes in this directory are reported under this path; also `true` where it cannot be
   * watched. One that others made or moved is not, until it is added.
   */
  covers(directory: string, ino: string): boolean
  /** Forgets directories that were not added since the last call. */
  sweep(): void
  /** Idempotent; nothing is reported after it. */
  close(): void
}

/** @param root Absolute path of the bound directory. */
export type OpenWatcher = (root: string, events: WatchEvents) => Watcher
