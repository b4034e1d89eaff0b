import type { SyncedRow } from '../rows.js'
import { rowOps } from '../rows-store.js'
import type { Planned } from './commit-rows.js'
import type { Item } from './item.js'
import type { PushContext } from './push-context.js'

type Writing = Planned & { readonly item: Item & { readonly row: SyncedRow } }

/**
 * Edits and deletions of files that stand here in another version than the synced tree shows: their registers
 * are to be taken over together with those of an entry that still waits. As writes of their entries they would
 * cover that other version, which nobody took away, and which may stand here under another name by now.
 */
export async function overOtherVersions(
  planned: readonly Planned[],
  { space }: PushContext,
): Promise<Writing[]> {
  const writing = planned.filter(isOverVersion)
  // What differs from the space is dirty.
  if (writing.length === 0 || (await space.dirty(1)).length === 0) return []
  const shown = await Promise.all(writing.map(({ item }) => space.synced.entry(item.row.key)))
  return writing.filter(({ item }, i) => {
    const entry = shown[i]
    return entry !== undefined && entry.version?.root !== item.row.entry.version!.root
  })
}

function isOverVersion(planned: Planned): planned is Writing {
  const { item, read } = planned
  if (item.type === 'create' || item.row.entry.version === undefined) return false
  return item.type === 'delete' || (read !== undefined && read.content.root !== item.row.entry.version.root)
}

/**
 * Things lose their rows: what stands there is new to the space then, and the next scan sends it.
 *
 * @returns the directories in which they stood.
 */
export async function dropRows(
  gone: readonly SyncedRow[],
  { space, rows }: Pick<PushContext, 'space' | 'rows'>,
): Promise<string[]> {
  if (gone.length === 0) return []
  const directories = await Promise.all(gone.map(({ dir }) => rows.pathOfDirectory(dir)))
  await space.touch(gone.map(({ key }) => key))
  await space.writeRows(rowOps(gone.map((before) => ({ before, after: undefined }))), { sync: false })
  return directories.map((directory) => directory ?? '')
}
