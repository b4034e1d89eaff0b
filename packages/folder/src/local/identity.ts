import { MTIME_MS_MAX } from '@tidemark/protocol'
import type { FileStat } from '../ports/file-system.js'
import type { Fingerprint, SyncedRow } from '../rows.js'

/** Whether two stats are of one thing on disk, whatever happened to its name and bytes. */
export function sameIdentity(a: Fingerprint, b: Fingerprint): boolean {
  return a.ino === b.ino && a.dev === b.dev && a.birthtimeNs === b.birthtimeNs
}

/** Whether nothing was done to it in between, as far as stamps can tell. */
export function sameStamps(a: Fingerprint, b: Fingerprint): boolean {
  return (
    sameIdentity(a, b) &&
    a.size === b.size &&
    a.mtimeNs === b.mtimeNs &&
    a.ctimeNs === b.ctimeNs &&
    a.mode === b.mode
  )
}

/**
 * Whether an inode alone may say "moved": where birthtime is missing or a file has several links, the
 * bytes must look the same too.
 */
export function mayBeMoved(row: SyncedRow, stat: FileStat): boolean {
  if (row.entry.kind !== stat.kind || !sameIdentity(row.fingerprint, stat)) return false
  if (stat.kind === 'dir') return true
  const isCertain = stat.birthtimeNs !== '0' && stat.nlink === 1 && row.fingerprint.nlink === 1
  return isCertain || (row.fingerprint.size === stat.size && row.fingerprint.mtimeNs === stat.mtimeNs)
}

/** Stamps this near to the read prove nothing: a later write may leave them as they are. */
const RACY_NS = 50_000_000n
/** Where stamps are whole seconds. */
const RACY_COARSE_NS = 2_000_000_000n
const SECOND_NS = 1_000_000_000n

/**
 * Whether a file that was read from `startMs` to `endMs` may change without its stamps showing it. Stamps
 * of the far future prove as much as old ones: no write of now leaves them.
 */
export function isRacy(stamps: Fingerprint, startMs: number, endMs: number): boolean {
  const mtime = BigInt(stamps.mtimeNs)
  const ctime = BigInt(stamps.ctimeNs)
  const margin = isCoarse(stamps) ? RACY_COARSE_NS : RACY_NS
  const from = BigInt(Math.floor(startMs)) * 1_000_000n - margin
  const to = BigInt(Math.ceil(endMs)) * 1_000_000n + margin
  return [mtime, ctime].some((stamp) => stamp > from && stamp < to)
}

/** Whether this disk, as far as one file shows, counts in seconds. */
export const isCoarse = ({ mtimeNs, ctimeNs }: Fingerprint): boolean =>
  BigInt(mtimeNs) % SECOND_NS === 0n && BigInt(ctimeNs) % SECOND_NS === 0n

export const isExecutable = (stamps: Fingerprint): boolean => (stamps.mode & 0o100) !== 0

/** Whole milliseconds since 1970, as the protocol has it; of years that it cannot say the nearest one. */
export const mtimeMsOf = (stamps: Fingerprint): number => {
  const ms = Number(BigInt(stamps.mtimeNs) / 1_000_000n)
  return Math.max(-MTIME_MS_MAX, Math.min(MTIME_MS_MAX, ms))
}
