import { type EntryKey, entryKey, type ViewEntry } from '@tidemark/engine'
import type { Fingerprint, SyncedRow } from '../rows.js'
import { isRacy } from './identity.js'

/** The row of an entry that stands on disk as `stat` says, and was read at `nowMs`. */
export function makeRow(
  entry: ViewEntry,
  dir: EntryKey,
  localName: string,
  stat: Fingerprint,
  nowMs: number,
): SyncedRow {
  const { dev, ino, birthtimeNs, size, mtimeNs, ctimeNs, mode, nlink } = stat
  const fingerprint = { dev, ino, birthtimeNs, size, mtimeNs, ctimeNs, mode, nlink }
  const racy = entry.kind !== 'dir' && isRacy(fingerprint, nowMs)
  return { key: entryKey(entry), dir, localName, entry, fingerprint, ...(racy ? { racy } : {}) }
}
