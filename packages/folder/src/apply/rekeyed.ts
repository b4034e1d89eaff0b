import type { RowChange, RowsStore } from '../rows-store.js'

/** Rows name their directory by its key: where that changes, those that stay in it follow. */
export async function childrenOfRekeyed(
  rows: RowsStore,
  changes: readonly RowChange[],
): Promise<RowChange[]> {
  const children: RowChange[] = []
  const own = new Set(changes.flatMap(({ before }) => before?.key ?? []))
  for (const { before, after } of changes) {
    if (!before || !after || before.key === after.key || after.entry.kind !== 'dir') continue
    for (const row of (await rows.inDirectory(before.key)).values()) {
      if (!own.has(row.key)) children.push({ before: row, after: { ...row, dir: after.key } })
    }
  }
  return children
}
