import type { FileStat } from '../ports/file-system.js'
import type { SyncedRow } from '../rows.js'
import type { DirRef } from './dir-ref.js'

/** One local change that is ready to be pushed. `path`: where it stands on disk, relative. */
export type Item =
  | {
      readonly type: 'create'
      readonly path: string
      readonly dir: DirRef
      /** On disk. */
      readonly name: string
      /** In the space: differs where the NFC form of `name` is taken by something else. */
      readonly entryName: string
      readonly stat: FileStat
      /** The directory that it becomes. */
      readonly self?: DirRef
    }
  | { readonly type: 'verify'; readonly path: string; readonly row: SyncedRow; readonly stat: FileStat }
  | {
      readonly type: 'move'
      readonly path: string
      readonly row: SyncedRow
      readonly dir: DirRef
      readonly name: string
      readonly entryName: string
      readonly stat: FileStat
    }
  /** A directory that took the place, and is now the entry, of an earlier one. */
  | { readonly type: 'rebind'; readonly path: string; readonly row: SyncedRow; readonly stat: FileStat }
  | {
      readonly type: 'delete'
      readonly path: string
      readonly row: SyncedRow
      /** What is gone, this or a directory above it: what is below went with it. */
      readonly top: { readonly path: string; readonly row: SyncedRow }
      /** Something else has the place of `top`; otherwise nothing may be there. */
      readonly isDisplaced: boolean
      /** Rules hide the place of `top` by now: only its row goes, for others it is as it was. */
      readonly isIgnored: boolean
    }

export type Deletion = Extract<Item, { type: 'delete' }>
