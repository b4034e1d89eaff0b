import type { EntryKey } from '@tidemark/engine'
import type { ApplyContext } from '../apply-context.js'
import type { SyncedRow } from '../rows.js'
import { decodeName, refusalOf } from '../scan/carried.js'
import { IGNORE_FILE } from '../scan/ignore-rules.js'
import { wantedLocalName } from '../wanted-name.js'
import { mustBeSystemError } from './disk.js'
import type { Gathered } from './gather.js'
import type { Item } from './item.js'
import type { Locator } from './locator.js'
import { keepsUnsynced } from './problems.js'
import type { Report } from './report.js'

interface Tools {
  readonly ctx: ApplyContext
  readonly locator: Locator
  readonly report: Report
}

/**
 * Directories that were deleted elsewhere but hold something that the space does not carry (ignored names,
 * fifos, mounts, odd names, what the hub refused): they stay, with those above them, and with the rules that hide what they hold:
 * without these it would be sent. What wants the place of one of them waits for a person too. Of a directory that
 * did not show what it holds the same waits until it does.
 *
 * @param items After `pairRows`.
 * @returns the entries to leave alone; the report says why.
 */
export function keptEntries(
  tools: Tools,
  items: readonly Item[],
  settled: Gathered['settled'],
): ReadonlySet<EntryKey> {
  const leaving = new Map<EntryKey, SyncedRow>()
  for (const { row, want } of items) if (row?.entry.kind === 'dir' && !want) leaving.set(row.key, row)
  if (leaving.size === 0) return new Set()
  const namesIn = rowNames([...items.flatMap(({ row }) => row ?? []), ...settled])
  const holding: SyncedRow[] = []
  const unknown: SyncedRow[] = []
  for (const row of leaving.values()) {
    const holds = holdsUnsynced(tools, row, namesIn.get(row.key) ?? new Set())
    const path = tools.locator.relativeDir(row.key)
    if (holds === 'unknown') {
      unknown.push(row)
      tools.report.rescan(path)
    } else if (holds) {
      holding.push(row)
      tools.report.problem(keepsUnsynced(path))
    }
  }
  const kept = stayingWith(holding, leaving, items)
  for (const key of kept) tools.report.keep(key)
  return new Set([...kept, ...stayingWith(unknown, leaving, items)])
}

/** What stays because these directories do. */
function stayingWith(
  rows: readonly SyncedRow[],
  leaving: ReadonlyMap<EntryKey, SyncedRow>,
  items: readonly Item[],
): ReadonlySet<EntryKey> {
  const staying = new Set<EntryKey>()
  if (rows.length === 0) return staying
  const dirs = new Set<EntryKey>()
  const places = new Set<string>()
  for (const row of rows) {
    for (let at: SyncedRow | undefined = row; at && !dirs.has(at.key); at = leaving.get(at.dir)) {
      dirs.add(at.key)
      places.add(placeText(at.dir, at.localName))
    }
  }
  for (const { key, row, want } of items) {
    const isStaying = want
      ? places.has(placeText(want.parent, wantedLocalName(row, want)))
      : row && (dirs.has(row.key) || (row.localName === IGNORE_FILE && dirs.has(row.dir)))
    if (isStaying) staying.add(key)
  }
  return staying
}

/** What is kept, with all that want the place of one of these, and so on. */
export function withWaiting(kept: readonly Item[], items: readonly Item[]): ReadonlySet<EntryKey> {
  const waiting = new Set(kept.map(({ key }) => key))
  if (waiting.size === 0) return waiting
  const wanting = new Map<string, Item[]>()
  for (const item of items) {
    const { row, want } = item
    if (!want) continue
    const place = placeText(want.parent as EntryKey, wantedLocalName(row, want))
    wanting.set(place, [...(wanting.get(place) ?? []), item])
  }
  const open = [...kept]
  for (let at = open.pop(); at; at = open.pop()) {
    if (!at.row) continue
    for (const item of wanting.get(placeText(at.row.dir, at.row.localName)) ?? []) {
      if (waiting.has(item.key)) continue
      waiting.add(item.key)
      open.push(item)
    }
  }
  return waiting
}

/** Whether anything in the directory is neither the space's nor something that a scan would send. */
function holdsUnsynced(
  { ctx, locator }: Tools,
  dir: SyncedRow,
  known: ReadonlySet<string>,
): boolean | 'unknown' {
  const relative = locator.relativeDir(dir.key)
  if (locator.unsound(dir.key) !== undefined || ctx.rules.unread(relative) !== undefined) return 'unknown'
  const absolute = locator.absoluteDir(dir.key)!
  try {
    return ctx.files.readdir(absolute).some((bytes) => {
      const name = decodeName(bytes)
      if (name === undefined) return true
      if (known.has(name) && ctx.refused.size === 0) return false
      const stat = ctx.files.lstat(`${absolute}/${name}`)
      if (!stat) return false
      const path = `${relative}/${name}`
      // An edit that the hub refused has a row.
      if (ctx.refused.holds(path, stat)) return true
      if (known.has(name)) return false
      return (
        ctx.rules.isIgnored(path, stat.kind === 'dir') ||
        refusalOf(name, path, stat, dir.fingerprint.dev) !== undefined
      )
    })
  } catch (error) {
    // Gone: the effect itself finds out.
    const errno = mustBeSystemError(error)
    return errno === 'ENOENT' || errno === 'ENOTDIR' ? false : 'unknown'
  }
}

function rowNames(rows: readonly SyncedRow[]): ReadonlyMap<EntryKey, ReadonlySet<string>> {
  const names = new Map<EntryKey, Set<string>>()
  for (const { dir, localName } of rows) {
    const of = names.get(dir)
    if (of) of.add(localName)
    else names.set(dir, new Set([localName]))
  }
  return names
}

const placeText = (dir: EntryKey, name: string): string => `${dir}/${name}`
