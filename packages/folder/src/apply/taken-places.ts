import type { EntryKey } from '@tidemark/engine'
import { parentOf } from '../parent-of.js'
import type { SyncedRow } from '../rows.js'
import type { Item } from './item.js'
import { withWaiting } from './kept.js'
import { takenByIgnored } from './problems.js'
import type { Report } from './report.js'

interface Tools {
  readonly report: Report
  /** Whether rules hide a directory, or what is none, at this place. */
  readonly isIgnored: (path: string, isDirectory: boolean) => boolean
  /** Whether a directory stands there; `undefined`: nothing does, or it may not be looked at. */
  readonly isDirectoryAt: (path: string) => boolean | undefined
  /** Where an item wants to stand; without a wish, where it stands. */
  readonly wantedPath: (item: Item) => string
  readonly currentPath: (row: SyncedRow) => string
}

/**
 * Items that are at, or go to or below, a place where something stands that rules hide: a directory in the place of
 * a file, or the other way round, for they do not hide the item itself. They wait for a person. Paths are relative to
 * the bound directory.
 *
 * @returns these, with all that want the place of one of them; the report says why.
 */
export function behindIgnored(tools: Tools, items: readonly Item[]): EntryKey[] {
  const { report, isIgnored, isDirectoryAt, wantedPath, currentPath } = tools
  const isTaken = (path: string, isDirectory: boolean): boolean => {
    if (!isIgnored(path, !isDirectory) || isDirectoryAt(path) !== !isDirectory) return false
    report.problem(takenByIgnored(path))
    return true
  }
  const isBehind = (path: string, isDirectory: boolean): boolean =>
    path !== '' && (isTaken(path, isDirectory) || isBehind(parentOf(path), true))
  const behind = items.filter((item) => {
    const { row, want } = item
    if (want && isBehind(wantedPath(item), want.kind === 'dir')) return true
    return row !== undefined && isBehind(currentPath(row), row.entry.kind === 'dir')
  })
  const waiting = withWaiting(behind, items)
  for (const key of waiting) report.keep(key)
  return [...waiting]
}
