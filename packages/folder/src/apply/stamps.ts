import { isCoarse, isRacy } from '../local/identity.js'
import type { FileStat } from '../ports/file-system.js'
import type { Fingerprint, SyncedRow } from '../rows.js'
import { sameFile } from './disk.js'

export function stamps(stat: Fingerprint): Fingerprint {
  const { dev, ino, birthtimeNs, size, mtimeNs, ctimeNs, mode, nlink } = stat
  return { dev, ino, birthtimeNs, size, mtimeNs, ctimeNs, mode, nlink }
}

/** Stamps after a rename; what was written, or made executable, meanwhile stays a difference for the next scan. */
export function fresh(row: SyncedRow, stat: FileStat): Fingerprint {
  const old = row.fingerprint
  if (stat.kind !== 'dir' && !sameFile(stat, old)) return old
  return { ...stamps(stat), mode: old.mode }
}

/**
 * Whether a file that was put in place just now may be written to without its stamps showing it: both would
 * have to be what they are. It was changed now; when it was written is what its author's disk says, and nobody
 * gives a file that time by chance. On a disk that counts in seconds somebody who sets an old time may.
 */
export const isRacyPlace = (stat: FileStat, nowMs: number): boolean =>
  isCoarse(stat) || isRacy({ ...stamps(stat), ctimeNs: stat.mtimeNs }, nowMs, nowMs)
