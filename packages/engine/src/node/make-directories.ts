import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Makes a directory and those above it that are missing. One call of mkdir(2) for each: the `recursive` of
 * Node never returns where a directory that exists refuses new ones with ENOENT, as `/proc` does.
 *
 * @param mode Of every directory that is made, before the umask.
 * @throws the system's error, with its `code`: ENOTDIR, EACCES, EROFS, ENOENT, ENOSPC …
 */
export function makeDirectories(path: string, mode = 0o777): void {
  if (tryMake(path, mode)) return
  const above = dirname(path)
  if (above !== path) makeDirectories(above, mode)
  mkdirSync(path, { mode })
}

/** @returns false: a directory above it is missing, or it cannot be made there. */
function tryMake(path: string, mode: number): boolean {
  try {
    mkdirSync(path, { mode })
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return false
    if (code !== 'EEXIST' || !statSync(path).isDirectory()) throw error
    return true
  }
}
