import type { EntryKey } from '@tidemark/engine'
import type { SyncedRow } from '../rows.js'
import type { Planned } from './commit-rows.js'
import type { Item } from './item.js'
import type { PushContext } from './push-context.js'

/** What must be looked at again. */
export interface Stale {
  readonly item: Item
  /** Further directories (relative) than the one that the item stands in. */
  readonly directories: readonly string[]
  /** Things in these directories have lost their rows. */
  readonly isRowless: boolean
}

export interface StaleOptions {
  readonly context: PushContext
  readonly onStale: (stale: Stale) => void
}

export async function tellStale(item: Item, { context, onStale }: StaleOptions): Promise<void> {
  onStale({ item, directories: await oldDirectory(item, context), isRowless: false })
}

/**
 * Where a move came from: nothing is missing there for a scan that found it elsewhere, and whoever did the
 * rest since did it elsewhere too.
 */
async function oldDirectory(item: Item, { rows }: PushContext): Promise<string[]> {
  const path = item.type === 'move' ? await rows.pathOfDirectory(item.row.dir) : undefined
  return path === undefined ? [] : [path]
}

/** Leaves out, and tells of, items whose row is not what it was when the item was found. */
export async function withoutStale(planned: readonly Planned[], options: StaleOptions): Promise<Planned[]> {
  const keys = planned.flatMap(({ item }) => (item.type === 'create' ? [] : [item.row.key]))
  const now = new Map(keys.map((key) => [key, undefined] as [EntryKey, SyncedRow | undefined]))
  for (const row of await options.context.rows.getMany([...now.keys()])) if (row) now.set(row.key, row)
  return without(planned, options, ({ item }) => {
    return item.type !== 'create' && JSON.stringify(now.get(item.row.key)) !== JSON.stringify(item.row)
  })
}

/**
 * Leaves out, and tells of, items in a directory that is not there, nor made together with them: it was of a group
 * before, and was not made.
 */
export async function withDirectories(
  planned: readonly Planned[],
  options: StaleOptions,
): Promise<Planned[]> {
  const made = new Set<string>()
  return without(planned, options, ({ item }) => {
    const isHomeless = 'dir' in item && item.dir.node === undefined && !made.has(item.dir.ref)
    if (!isHomeless && item.type === 'create' && item.self) made.add(item.self.ref)
    return isHomeless
  })
}

/**
 * Leaves out, and tells of, items that count on another which was to leave its place, and does not: what takes
 * that place (its row would be lost, and what it stands for come back), and the deletion of the directory that it
 * is in (the space would show that on for it).
 *
 * @param all With those that are left out.
 */
export async function withoutDependents(
  planned: readonly Planned[],
  all: readonly Planned[],
  options: StaleOptions,
): Promise<Planned[]> {
  let rest = [...planned]
  for (;;) {
    const dependents = new Set([
      ...(await takersOf(rest, all, options.context)),
      ...(await notEmptied(rest, options.context)),
    ])
    if (dependents.size === 0) return rest
    rest = await without(rest, options, (entry) => dependents.has(entry))
  }
}

async function takersOf(
  rest: readonly Planned[],
  all: readonly Planned[],
  { rows }: PushContext,
): Promise<Planned[]> {
  const staying = rowsOf(all)
  for (const key of rowsOf(rest)) staying.delete(key)
  if (staying.size === 0) return []
  const takers: Planned[] = []
  for (const entry of rest) {
    const { item } = entry
    const dir = 'dir' in item ? item.dir.key : undefined
    if (dir === undefined || !('name' in item)) continue
    const there = await rows.at(dir, item.name)
    if (there && staying.has(there.key)) takers.push(entry)
  }
  return takers
}

/** Deletions of directories that rows are left in, also of what a group before was to delete. */
export async function notEmptied<T extends Planned>(rest: readonly T[], { rows }: PushContext): Promise<T[]> {
  const leaving = new Set<EntryKey>()
  for (const { item } of rest) if (item.type === 'delete' || item.type === 'move') leaving.add(item.row.key)
  const kept: T[] = []
  // The deepest come first: what is kept keeps those above it.
  for (const entry of rest) {
    const { item } = entry
    if (item.type !== 'delete' || item.row.entry.kind !== 'dir') continue
    const inside = await rows.inDirectory(item.row.key)
    if ([...inside.values()].every(({ key }) => leaving.has(key))) continue
    kept.push(entry)
    leaving.delete(item.row.key)
  }
  return kept
}

const rowsOf = (planned: readonly Planned[]): Set<EntryKey> =>
  new Set(planned.flatMap(({ item }) => ('row' in item ? item.row.key : [])))

async function without(
  planned: readonly Planned[],
  options: StaleOptions,
  isLeftOut: (entry: Planned) => boolean,
): Promise<Planned[]> {
  const kept: Planned[] = []
  for (const entry of planned) {
    if (isLeftOut(entry)) await tellStale(entry.item, options)
    else kept.push(entry)
  }
  return kept
}
