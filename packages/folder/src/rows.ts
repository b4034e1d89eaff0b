import type { EntryKey, ViewEntry } from '@tidemark/engine'

/**
 * Identity and state of something on disk, as `lstat` says. Nanoseconds and inode numbers are decimal
 * text: they do not fit a double.
 */
export interface Fingerprint {
  readonly dev: string
  readonly ino: string
  readonly birthtimeNs: string
  readonly size: number
  readonly mtimeNs: string
  readonly ctimeNs: string
  /** Permission bits. */
  readonly mode: number
  readonly nlink: number
}

/** The `dir` of a row whose thing was lifted and waits in staging. */
export const STAGING_DIR: EntryKey = '*staging'

/**
 * The synced tree: one row for each thing on disk that is an entry of the space. The row says what the
 * disk shows; `entry` says what of the space that is. It is the base of three-way comparison.
 *
 * Rows are found by directory (`rowsIn`), by entry key, and by inode.
 */
export interface SyncedRow {
  readonly key: EntryKey
  /** Key of the directory that it stands in on disk; ROOT for the bound directory itself. */
  readonly dir: EntryKey
  /** Its name on disk: the entry's name, unless this platform needs another form. */
  readonly localName: string
  readonly entry: ViewEntry
  readonly fingerprint: Fingerprint
  /** Read within the stamp granularity: equal stamps prove nothing, read it again at the next scan. */
  readonly racy?: boolean
}

/** Something that could not be synced, and what to do about it. Never stops the rest. */
export interface Problem {
  /** Relative to the bound directory; bytes that are not UTF-8 as U+FFFD. */
  readonly path: string
  /** Stable word: `unreadable`, `not-utf8`, `special-file`, `other-device`, `changing`, `no-space`, … */
  readonly cause: string
  /** In words, with the system's error code. */
  readonly detail: string
  /** What the user can do. */
  readonly fix: string
}
