import { errnoOf } from '../adapters/node-file-system.js'
import type { FileStat, FileSystem } from '../ports/file-system.js'

/**
 * All at any depth, directories before what is in them, by no symlink.
 *
 * @returns paths relative to the directory; `undefined` for what the disk does not let be looked at.
 */
export function* thingsBelow(
  files: FileSystem,
  directory: string,
  above = '',
): Generator<{ readonly path: string; readonly stat: FileStat } | undefined> {
  const names = seen(() => files.readdir(`${directory}/${above}`), [])
  if (!names) yield undefined
  for (const bytes of names ?? []) {
    const path = above + Buffer.from(bytes).toString('utf8')
    const found = seen(() => ({ stat: files.lstat(`${directory}/${path}`) }), { stat: undefined })
    if (!found) yield undefined
    if (!found?.stat) continue
    yield { path, stat: found.stat }
    if (found.stat.kind === 'dir') yield* thingsBelow(files, directory, `${path}/`)
  }
}

/** Refusals that say that it is not there, or no longer what it was. */
const GONE = new Set(['ENOENT', 'ENOTDIR', 'ELOOP'])

/** Whether an error of a disk leaves open what stands there. */
export function leavesOpen(error: unknown): boolean {
  const errno = errnoOf(error)
  return errno !== undefined && !GONE.has(errno)
}

/** @returns `undefined`: the disk does not say. */
function seen<T extends object>(look: () => T, gone: T): T | undefined {
  try {
    return look()
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return leavesOpen(error) ? undefined : gone
  }
}
