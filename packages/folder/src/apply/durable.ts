import type { FileSystem } from '../ports/file-system.js'
import { mustBeSystemError } from './disk.js'

/** Up to this many paths one fsync each is faster than a sync of the whole file system. */
export const FSYNC_EACH_MAX = 8

/**
 * Makes files (their bytes) and directories (their names) durable: each by fsync when they are few, else
 * all with the file system, and each again where that is not possible.
 */
export async function makeDurable(
  files: FileSystem,
  paths: readonly string[],
  volume: string,
): Promise<void> {
  if (paths.length > FSYNC_EACH_MAX && (await isAllSynced(files, volume))) return
  for (const path of paths) {
    try {
      files.fsync(path)
    } catch (error) {
      // Gone again, or the user moved a directory, or has a link there: then there is nothing of ours to keep.
      const errno = mustBeSystemError(error)
      if (errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'ELOOP') continue
      // A directory that may be entered and not be read: then all, or nothing is known.
      if (errno !== 'EACCES' || !(await isAllSynced(files, volume))) throw error
      return
    }
  }
}

/** @returns false: the system cannot do it, or it failed. */
export async function isAllSynced(files: FileSystem, volume: string): Promise<boolean> {
  try {
    await files.syncAll(volume)
    return true
  } catch (error) {
    // No such command, or it failed: a code, a number or a signal.
    if (!(error instanceof Error) || !('code' in error)) throw error
    return false
  }
}
