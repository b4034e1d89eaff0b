import type { SyncedRow } from '../rows.js'

/**
 * The row of what stands on disk as the space wants it, while its registers are not taken over: another entry
 * of its node still shows the old state. The entry stays what it was but for the bytes, which are those that
 * stand there: else one that is wanted as before would be taken to be there already.
 */
export function heldRow(before: SyncedRow, after: SyncedRow): SyncedRow {
  const { version } = after.entry
  return { ...after, key: before.key, entry: { ...before.entry, ...(version ? { version } : {}) } }
}
