import { type EntryKey, entryKey, type ViewEntry } from '@tidemark/engine'
import type { Fingerprint, SyncedRow } from '../rows.js'

/** The row of an entry that stands on disk as `stat` says, its stamps proving nothing if `racy`. */
export function makeRow(
  entry: ViewEntry,
  dir: EntryKey,
  localName: string,
  stat: Fingerprint,
  racy: boolean,
): SyncedRow {
  const { dev, ino, birthtimeNs, size, mtimeNs, ctimeNs, mode, nlink } = stat
  const fingerprint = { dev, ino, birthtimeNs, size, mtimeNs, ctimeNs, mode, nlink }
  return { key: entryKey(entry), dir, localName, entry, fingerprint, ...(racy ? { racy } : {}) }
}
