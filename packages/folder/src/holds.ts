import type { EntryKey } from '@tidemark/engine'
import { ROOT } from '@tidemark/protocol'
import { errnoOf } from './adapters/node-file-system.js'
import { sameStamps } from './local/identity.js'
import type { FileStat, FileSystem } from './ports/file-system.js'
import type { SyncedRow } from './rows.js'
import type { RowsStore } from './rows-store.js'

/** Local changes that look like an accident: nothing of them is sent before a person says so. */
export interface Hold {
  /** `folder`: it is not the folder that was bound; nothing goes either way. `deletes`: only deletions wait. */
  readonly kind: 'folder' | 'deletes'
  readonly reason: string
  readonly deletes: number
  /** Of the whole folder; with those that were deleted shortly before. */
  readonly entries: number
}

export interface DeleteLimit {
  readonly count: number
  /** 0 to 1, of all entries. */
  readonly share: number
}

/** More than 1,000 entries and more than half, within a minute: a mistake with `rm`, a full restore of something else. */
export const DELETE_LIMIT: DeleteLimit = { count: 1_000, share: 0.5 }

/** Whether so many deletions must wait for a person. @param entries Before them. */
export function exceeds(limit: DeleteLimit, deletes: number, entries: number): boolean {
  return deletes > limit.count && deletes > entries * limit.share
}

/** A row whose thing is not on disk as the row says. */
export interface Unlike {
  readonly row: SyncedRow
  readonly path: string
  /** What stands there instead; `undefined`: nothing, or it could not be looked at. */
  readonly stat: FileStat | undefined
  /** Why it could not be looked at, nor anything below it. */
  readonly errno?: string
}

/** Rows that the disk does not show any more, in pages. Below a directory that is gone everything is gone. */
export async function* unlikeRows(
  rows: RowsStore,
  files: FileSystem,
  directory: string,
): AsyncIterable<readonly Unlike[]> {
  const steps: { key: EntryKey; path: string; isGone: boolean }[] = [{ key: ROOT, path: '', isGone: false }]
  for (let step = steps.pop(); step; step = steps.pop()) {
    const page: Unlike[] = []
    for (const [name, row] of await rows.inDirectory(step.key)) {
      const path = step.path === '' ? name : `${step.path}/${name}`
      const seen = step.isGone ? {} : look(files, `${directory}/${path}`)
      if (seen.errno !== undefined) {
        page.push({ row, path, stat: undefined, errno: seen.errno })
        continue
      }
      const { stat } = seen
      const isDirectory = row.entry.kind === 'dir'
      const isGone = isDirectory && stat?.kind !== 'dir'
      if (isDirectory) steps.push({ key: row.key, path, isGone })
      if (isDirectory ? isGone : !stat || !sameStamps(stat, row.fingerprint)) page.push({ row, path, stat })
    }
    yield page
  }
}

function look(files: FileSystem, path: string): { readonly stat?: FileStat; readonly errno?: string } {
  try {
    const stat = files.lstat(path)
    return stat ? { stat } : {}
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    return { errno }
  }
}
