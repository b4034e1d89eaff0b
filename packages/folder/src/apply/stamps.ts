import type { FileStat } from '../ports/file-system.js'
import type { Fingerprint, SyncedRow } from '../rows.js'

export function stamps(stat: FileStat): Fingerprint {
  const { dev, ino, birthtimeNs, size, mtimeNs, ctimeNs, mode, nlink } = stat
  return { dev, ino, birthtimeNs, size, mtimeNs, ctimeNs, mode, nlink }
}

/** Stamps after a rename; what was written meanwhile stays a difference for the next scan. */
export function fresh(row: SyncedRow, stat: FileStat): Fingerprint {
  const old = row.fingerprint
  if (stat.kind !== 'dir' && (stat.size !== old.size || stat.mtimeNs !== old.mtimeNs)) return old
  return stamps(stat)
}
