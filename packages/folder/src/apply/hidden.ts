import type { EntryKey, Materialised } from '@tidemark/engine'
import { RESERVED_NAME } from '@tidemark/protocol'
import type { ApplyContext } from '../apply-context.js'
import { changeRows } from '../change-rows.js'
import type { SyncedRow } from '../rows.js'
import type { RowChange } from '../rows-store.js'
import type { Item } from './item.js'
import type { WantedPaths } from './wanted-paths.js'

/**
 * How an entry stands to what this folder does not show (ignored places, and mounts): `seen` has nothing to do with
 * it; `leaves` goes from where it is seen to there, `uncovered` the other way; `hidden` is there, as it was.
 */
type Hiding = 'seen' | 'leaves' | 'uncovered' | 'hidden'

function hidingOf({ rules }: ApplyContext, item: Item, paths: WantedPaths): Hiding {
  const { row, want } = item
  const isDirectory = (want ?? row?.entry)?.kind === 'dir'
  const standsHidden = row !== undefined && rules.isIgnored(paths.current(row), isDirectory)
  const isHidden =
    want !== undefined &&
    (want.kind === 'mount' || isReserved(paths.of(item)) || rules.isIgnored(paths.of(item), isDirectory))
  if (!standsHidden && !isHidden) return 'seen'
  if (row && !standsHidden) return 'leaves'
  return row && want && !isHidden ? 'uncovered' : 'hidden'
}

/** Whether an entry goes from where this folder shows it to where it does not. */
export const leaves = (ctx: ApplyContext, item: Item, paths: WantedPaths): boolean =>
  hidingOf(ctx, item, paths) === 'leaves'

/**
 * Entries that this folder does not show are taken over without an effect where they are. What moves to such a place
 * leaves its old one, with all that is in it. What moves from such a place to where it is seen loses its row, with
 * all below, and is made there: what is ignored here is nobody else's, and stays.
 *
 * @param items With those of `leavingBelow`.
 * @returns the items to plan; `again`: rows were lost.
 */
export async function dropHidden(
  ctx: ApplyContext,
  items: readonly Item[],
  paths: WantedPaths,
): Promise<Item[] | 'again'> {
  const visible: Item[] = []
  const shown: Materialised[] = []
  const changes = new Map<EntryKey, RowChange>()
  const uncovered = new Map<EntryKey, RowChange>()
  for (const item of items) {
    const { key, row, want, nodes } = item
    const hiding = hidingOf(ctx, item, paths)
    if (hiding === 'seen') visible.push(item)
    else if (hiding === 'leaves') visible.push({ ...item, want: undefined, hidden: want })
    else if (hiding === 'uncovered') {
      for (const each of [row!, ...(await rowsBelow(ctx, row!))])
        uncovered.set(each.key, { before: each, after: undefined })
    } else {
      shown.push({ key, as: want, nodes })
      const after = row && want?.kind === 'dir' ? { ...row, entry: want } : undefined
      if (row) changes.set(key, { before: row, after })
    }
  }
  if (uncovered.size > 0) await ctx.space.touch([...uncovered.keys()])
  await changeRows(ctx, [...new Map([...changes, ...uncovered]).values()], { shown, sync: false })
  return uncovered.size > 0 ? 'again' : visible
}

/** What stands in directories that leave, and is not among the items. */
export async function leavingBelow(
  ctx: ApplyContext,
  items: readonly Item[],
  paths: WantedPaths,
): Promise<EntryKey[]> {
  const known = new Set(items.map(({ key }) => key))
  const leaving = new Map<EntryKey, SyncedRow>()
  for (const item of items) {
    const { row } = item
    if (row?.entry.kind === 'dir' && leaves(ctx, item, paths)) leaving.set(row.key, row)
  }
  const below: EntryKey[] = []
  for (const row of leaving.values()) {
    if (leaving.has(row.dir)) continue
    for (const { key } of await rowsBelow(ctx, row)) if (!known.has(key)) below.push(key)
  }
  return below
}

async function rowsBelow({ rows }: ApplyContext, row: SyncedRow): Promise<SyncedRow[]> {
  if (row.entry.kind !== 'dir') return []
  const below: SyncedRow[] = []
  const open = [row.key]
  for (let dir = open.pop(); dir !== undefined; dir = open.pop()) {
    for (const each of (await rows.inDirectory(dir)).values()) {
      below.push(each)
      if (each.entry.kind === 'dir') open.push(each.key)
    }
  }
  return below
}

/** Our own directory: no peer may write into it. */
const isReserved = (path: string): boolean => path.split('/')[0] === RESERVED_NAME
