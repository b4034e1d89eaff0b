import type { EntryKey, KeyValueOp, Materialised, SpaceBinding } from '@tidemark/engine'
import type { RowChange, RowsStore } from './rows-store.js'

interface Tables {
  readonly space: Pick<SpaceBinding, 'touch' | 'writeRows' | 'materialised'>
  readonly rows: RowsStore
}

export interface ChangeOptions {
  readonly sync: boolean
  /** Goes with them. */
  readonly ops?: readonly KeyValueOp[]
  /** What the disk shows from now on. */
  readonly shown?: readonly Materialised[]
  /** Entries that the disk does not show, or not as they are: to be looked at. */
  readonly touch?: readonly EntryKey[]
}

/** Makes changes of rows in one batch. What they displace is looked at again. */
export async function changeRows(
  { space, rows }: Tables,
  changes: readonly RowChange[],
  { sync, ops: others = [], shown = [], touch = [] }: ChangeOptions,
): Promise<void> {
  const { ops, displaced } = await rows.change(changes)
  const looked = displaced.map(({ key }) => key)
  if (shown.length === 0) for (const key of touch) looked.push(key)
  if (looked.length > 0) await space.touch(looked)
  const all = [...ops, ...others]
  if (shown.length > 0) await space.materialised(shown, all, { sync, touch })
  else if (all.length > 0) await space.writeRows(all, { sync })
}
