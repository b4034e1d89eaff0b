import type { Item } from './item.js'

/** Before the process's umask. */
export const FILE_MODE = 0o644
export const EXECUTABLE_MODE = 0o755

/**
 * Permission bits of a file that keeps its own, but for the executable bit: who may read may execute.
 *
 * @param mode Bits that it has.
 */
export const modeFor = (mode: number, executable: boolean): number =>
  executable ? (mode & 0o7777) | ((mode & 0o444) >> 2) : mode & 0o7666

/** A file that is replaced keeps the permissions that its owner gave it, but for the executable bit. */
export function modeOf({ row, want }: Item): number {
  const executable = want!.executable
  if (row) return modeFor(row.fingerprint.mode, executable)
  return executable ? EXECUTABLE_MODE : FILE_MODE
}

/** As `modeOf`, for a file that was created with another mode: the umask is for what is created. */
export const changedModeOf = (item: Item, umask: number): number =>
  item.row ? modeOf(item) : modeOf(item) & ~umask
