import { mustBeSystemError } from '../apply/disk.js'
import { FSYNC_EACH_MAX, isAllSynced } from '../apply/durable.js'
import { parentOf } from '../parent-of.js'
import type { FileSystem } from '../ports/file-system.js'
import type { Planned } from './commit-rows.js'
import { sameIdentity, sameStamps } from './identity.js'
import type { Item } from './item.js'

/**
 * A disk that cannot do it, or what this user may not open: to keep it back would help nobody. Or it is gone, or
 * another by now, and is looked at again before it is sent.
 */
const IS_LEFT = new Set(['EACCES', 'EPERM', 'EROFS', 'EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])
const IS_GONE = new Set(['ENOENT', 'ENOTDIR', 'ELOOP'])

/** At once, where each is made durable by itself: of the four threads that all calls of a process share. */
const LANES = 2

/**
 * Makes durable, as they are on disk now, the bytes and names of what these items are about to tell others: what a
 * power cut took back would be sent as its user's doing.
 *
 * @param directory Of the folder, absolute.
 * @throws the reason of the signal: a disk that does not answer holds up nobody who closes the folder, or decides.
 * @returns the errors of the disk (EIO, ENOSPC, …), by item: what may not be sent.
 */
export async function makeItemsDurable(
  planned: readonly Planned[],
  files: FileSystem,
  directory: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<Item, unknown>> {
  const pathsOf = new Map(planned.map((entry) => [entry.item, changedPaths(entry)]))
  const paths = [...new Set([...pathsOf.values()].flat())]
  const failed = new Map<string, unknown>()
  if (paths.length <= FSYNC_EACH_MAX || !(await unlessAborted(isAllSynced(files, directory), signal))) {
    const lane = async () => {
      for (let path = paths.pop(); path !== undefined; path = paths.pop()) {
        const error = await fsync(files, path === '' ? directory : `${directory}/${path}`)
        if (error) failed.set(path, error)
      }
    }
    await unlessAborted(Promise.all(Array.from({ length: LANES }, lane)), signal)
  }
  const errors = new Map<Item, unknown>()
  for (const [item, changed] of pathsOf) {
    const path = changed.find((each) => failed.has(each))
    if (path !== undefined) errors.set(item, failed.get(path))
  }
  return errors
}

/** Files whose bytes or stamps, and directories whose names, differ from what the row says; from the folder's. */
function changedPaths({ item, read }: Planned): string[] {
  const { path } = item
  const bytes = read?.stat.kind === 'file' ? [path] : []
  switch (item.type) {
    case 'create':
    case 'move':
      return [...bytes, parentOf(path)]
    case 'rebind':
      return [parentOf(path)]
    case 'verify': {
      const { entry, fingerprint } = item.row
      if (!read) return []
      // With other stamps the same bytes may have been written once more, over those that were durable.
      const isAsBefore = read.content.root === entry.version?.root && sameStamps(read.stat, fingerprint)
      if (isAsBefore) return []
      return sameIdentity(read.stat, fingerprint) ? bytes : [...bytes, parentOf(path)]
    }
    case 'delete':
      return []
  }
}

/**
 * Others go on meanwhile, as they could not with `files.fsync`.
 *
 * @param path Absolute.
 * @returns the error of the disk: what stands there may not be told to others.
 */
export async function fsync(files: FileSystem, path: string): Promise<unknown> {
  try {
    const file = files.open(path, 'r')
    await file.sync().finally(() => file.close())
    return undefined
  } catch (error) {
    const errno = mustBeSystemError(error)
    return IS_LEFT.has(errno) || IS_GONE.has(errno) ? undefined : error
  }
}

/** What it waits for goes on. @throws the reason of the signal. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort = (): void => undefined
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason)
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort)
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
    work.catch(() => undefined)
  }
}
