import type { EntryKey, ViewEntry } from '@tidemark/engine'
import type { NodeEntry } from '@tidemark/protocol'
import type { SyncedRow } from '../rows.js'

/** An entry that may differ between the received tree and the disk. */
export interface Item {
  readonly key: EntryKey
  /** What stands for it on disk: its own row, or that of an entry that went away (see `pairRows`). */
  readonly row: SyncedRow | undefined
  /** What the received tree shows; `undefined`: nothing. */
  readonly want: ViewEntry | undefined
  /** What the received tree shows where this folder shows nothing: `want` is `undefined` then. */
  readonly hidden?: ViewEntry | undefined
  /** Registers of its nodes, read before `want`: never newer than what `want` shows. */
  readonly nodes: readonly NodeEntry[]
}

export const isContent = (entry: ViewEntry): boolean => entry.kind === 'file' || entry.kind === 'symlink'

/** Whether the bytes (or the target) on disk are not those that the entry shows. */
export const contentDiffers = (row: SyncedRow, want: ViewEntry): boolean =>
  row.entry.version?.root !== want.version?.root

export const executableDiffers = (row: SyncedRow, want: ViewEntry): boolean =>
  want.kind === 'file' && row.entry.executable !== want.executable

export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
