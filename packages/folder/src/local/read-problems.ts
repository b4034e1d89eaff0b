import { SourceChangedError, SyncError } from '@tidemark/protocol'
import { errnoOf } from '../adapters/node-file-system.js'
import type { Problem } from '../rows.js'
import { SymlinkTargetError } from './read-content.js'

/** The file is being written, or something else took its place while it was opened. */
export const isChanging = (error: unknown): boolean =>
  error instanceof SourceChangedError || errnoOf(error) === 'ELOOP'

/** Of a file that is gone, or may not be opened any more; others are of the machine. */
const ERRNOS_OF_A_FILE = new Set<string | undefined>(['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EPERM'])

/** Whether a file that was read before could not be read again, through no fault of others. */
export const isOfItsFile = (error: unknown): boolean =>
  error instanceof SourceChangedError || ERRNOS_OF_A_FILE.has(errnoOf(error))

/**
 * Why a file could not be read and stored, for the person who has to do something about it.
 *
 * @returns `undefined`: the error is not about this one file.
 */
export function readProblem(path: string, error: unknown): Problem | undefined {
  if (isChanging(error)) {
    return {
      path,
      cause: 'changing',
      detail: 'it is being written; it is sent when it has been quiet for a moment',
      fix: 'nothing, or close the program that writes it',
    }
  }
  if (error instanceof SymlinkTargetError) {
    return {
      path,
      cause: 'symlink-target',
      detail: `where it points is ${error.message}`,
      fix: 'make it anew',
    }
  }
  if (error instanceof SyncError) {
    return {
      path,
      cause: 'not-sent',
      detail: `it could not be sent: ${error.message}`,
      fix: 'nothing here; it is tried again by itself',
    }
  }
  const errno = errnoOf(error)
  if (errno === undefined) return undefined
  return {
    path,
    cause: 'unreadable',
    detail: `it cannot be read (${errno})`,
    fix: 'give this user the right to read it',
  }
}
