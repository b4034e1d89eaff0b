import type { EntryKey } from '@tidemark/engine'
import { errnoOf } from '../adapters/node-file-system.js'
import type { FileSystem } from '../ports/file-system.js'

/** How long something must be gone before that is a deletion: it may be on its way to another name. */
export const ABSENT_MS = 1_000

/** Rows whose things are not where they were, since when, and where that was. */
export class Absences {
  readonly #since = new Map<EntryKey, { readonly sinceMs: number; readonly directory: string }>()
  /** Relative paths. */
  readonly #found = new Map<EntryKey, string>()

  /**
   * Takes the result of one scan.
   *
   * @param absent Keys that it missed, with the directory (relative path) that they were missing from: its
   *   path now, others may have moved it since.
   * @param wasAsked Whether a directory was part of the scan, or should have been: what is not missed
   *   there is back, or its directory is gone too.
   */
  update(
    absent: ReadonlyMap<EntryKey, string>,
    wasAsked: (directory: string) => boolean,
    nowMs: number,
  ): void {
    for (const [key, { directory }] of this.#since) {
      if (!absent.has(key) && wasAsked(directory)) this.#since.delete(key)
    }
    for (const [key, directory] of absent) {
      this.#since.set(key, { sinceMs: this.#since.get(key)?.sinceMs ?? nowMs, directory })
    }
  }

  /** Keys of what was missing from these directories when it was last missed. */
  from(isAsked: (directory: string) => boolean): EntryKey[] {
    return [...this.#since].flatMap(([key, { directory }]) => (isAsked(directory) ? [key] : []))
  }

  isOverdue(key: EntryKey, nowMs: number): boolean {
    const absence = this.#since.get(key)
    return absence !== undefined && nowMs - absence.sinceMs >= ABSENT_MS
  }

  /** Whether others than these are overdue. */
  hasOverdueBut(keys: ReadonlySet<EntryKey>, nowMs: number): boolean {
    return [...this.#since.keys()].some((key) => !keys.has(key) && this.isOverdue(key, nowMs))
  }

  forget(key: EntryKey): void {
    this.#since.delete(key)
  }

  /** It was found at another place, and could not be sent from there. */
  found(key: EntryKey, path: string): void {
    this.#found.set(key, path)
  }

  wasFound(key: EntryKey): boolean {
    return this.#found.has(key)
  }

  /**
   * Whether what is missing is where it was found: then it is not gone, however little of that can be told.
   * @param stands Whether it stands at this path.
   */
  isElsewhere(key: EntryKey, stands: (path: string) => boolean): boolean {
    const path = this.#found.get(key)
    if (path === undefined) return false
    if (stands(path)) return true
    this.#found.delete(key)
    return false
  }

  clear(): void {
    this.#since.clear()
    this.#found.clear()
  }

  get size(): number {
    return this.#since.size
  }

  /**
   * When the next one is overdue (monotonic milliseconds), of those that were not overdue at `seenMs`: one
   * that was may wait for another.
   */
  nextAfter(seenMs: number): number | undefined {
    // In order of insertion: the first is the oldest.
    for (const { sinceMs } of this.#since.values()) {
      if (sinceMs + ABSENT_MS > seenMs) return sinceMs + ABSENT_MS
    }
    return undefined
  }

  /** Directories that must be looked at again because something in them is overdue. */
  directoriesDue(nowMs: number): Set<string> {
    const due = new Set<string>()
    for (const { sinceMs, directory } of this.#since.values()) {
      if (nowMs - sinceMs >= ABSENT_MS) due.add(directory)
    }
    return due
  }
}

/**
 * Whether a directory that something is missing from is gone itself. What may not be looked at is there, as
 * far as anybody knows: the scan says more.
 *
 * @param directory Absolute.
 */
export function hasLeft(files: FileSystem, directory: string): boolean {
  try {
    return files.lstat(directory)?.kind !== 'dir'
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return false
  }
}
