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
 * without these it would be sent. What wants the place of one of them waits for a person too.
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
  const dirs = new Set<EntryKey>()
  for (const row of leaving.values()) {
    if (!holdsUnsynced(tools, row, namesIn.get(row.key) ?? new Set())) continue
    tools.report.problem(keepsUnsynced(tools.locator.relativeDir(row.key)))
    for (let at: SyncedRow | undefined = row; at && !dirs.has(at.key); at = leaving.get(at.dir)) {
      dirs.add(at.key)
    }
  }
  const places = new Set(
    [...dirs].map((key) => placeText(leaving.get(key)!.dir, leaving.get(key)!.localName)),
  )
  const kept = new Set<EntryKey>()
  for (const { key, row, want } of items) {
    const isKept = want
      ? places.has(placeText(want.parent, wantedLocalName(row, want)))
      : row && (dirs.has(row.key) || (row.localName === IGNORE_FILE && dirs.has(row.dir)))
    if (isKept) kept.add(key)
  }
  for (const key of kept) tools.report.keep(key)
  return kept
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
function holdsUnsynced({ ctx, locator }: Tools, dir: SyncedRow, known: ReadonlySet<string>): boolean {
  if (locator.unsound(dir.key) !== undefined) return false
  const absolute = locator.absoluteDir(dir.key)!
  const relative = locator.relativeDir(dir.key)
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
        ctx.isIgnored(path, stat.kind === 'dir') ||
        refusalOf(name, path, stat, dir.fingerprint.dev) !== undefined
      )
    })
  } catch (error) {
    // Unreadable or gone: the effect itself finds out.
    mustBeSystemError(error)
    return false
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
