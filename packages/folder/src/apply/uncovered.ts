import { type EntryKey, entryKey, type SpaceBinding } from '@tidemark/engine'
import type { NodeId } from '@tidemark/protocol'
import type { RowChange, RowsStore } from '../rows-store.js'

interface Source {
  readonly space: Pick<SpaceBinding, 'received' | 'synced'>
  readonly rows: Pick<RowsStore, 'getMany'>
}

/**
 * Entries in directories that come to be seen here: what is in a directory that rules hid was taken over without
 * an effect, and nothing marks it when the directory alone moves.
 *
 * @param isPlanned Whether an entry is looked at anyway.
 * @returns those without a row.
 */
export async function childrenOfUncovered(
  { space, rows }: Source,
  changes: readonly RowChange[],
  isPlanned: (key: EntryKey) => boolean,
): Promise<EntryKey[]> {
  const rowless: EntryKey[] = []
  for (const { before, after } of changes) {
    if (after?.entry.kind !== 'dir' || before?.key === after.key) continue
    // Of one that is new here all is marked that is in it.
    if (!(await space.synced.entry(after.key))) continue
    for await (const page of space.received.children(after.key as NodeId)) {
      const keys = page.map(entryKey).filter((key) => !isPlanned(key))
      const known = await rows.getMany(keys)
      rowless.push(...keys.filter((_, i) => known[i] === undefined))
    }
  }
  return rowless
}
