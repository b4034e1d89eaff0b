import type { EntryKey } from '@tidemark/engine'
import type { SyncedRow } from '../rows.js'
import type { Item } from './item.js'

/**
 * A directory during a plan: ROOT, the key of the row that stands on disk, or `+key` for one that the
 * plan makes. Keys of entries cannot serve: an entry may take over another's directory.
 */
export type DirId = string
export const newDirId = (key: EntryKey): DirId => `+${key}`
/** The name of what was lifted, while it waits in staging. */
export const liftName = (row: SyncedRow): string => `lift-${row.key.replace(':', '-')}`

export interface Place {
  readonly dir: DirId
  readonly name: string
}

export interface PlannedPlace extends Place {
  /** The key that a row at this place has as its `dir`. */
  readonly dirKey: EntryKey
}

export type Step =
  /** A file or symlink goes to the trash. */
  | { readonly type: 'remove'; readonly item: Item }
  | { readonly type: 'mkdir'; readonly item: Item; readonly to: PlannedPlace }
  | { readonly type: 'move'; readonly item: Item; readonly to: PlannedPlace }
  /** Out of the way, into staging; a `land` of the same item follows. */
  | { readonly type: 'lift'; readonly item: Item; readonly to: PlannedPlace }
  | { readonly type: 'land'; readonly item: Item; readonly to: PlannedPlace }
  | { readonly type: 'rmdir'; readonly item: Item }
  | { readonly type: 'create'; readonly item: Item; readonly to: PlannedPlace }
  /** Other bytes (or another target) at a place that stays, or that an earlier step gave. */
  | { readonly type: 'replace'; readonly item: Item; readonly to: PlannedPlace }
  | { readonly type: 'chmod'; readonly item: Item; readonly to: PlannedPlace }
  /** The disk shows it already: only the database changes. */
  | { readonly type: 'note'; readonly item: Item; readonly to: PlannedPlace | undefined }
