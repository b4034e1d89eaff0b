import type { SyncedRow } from '../rows.js'

/**
 * The row of what stands on disk as the space wants it, while its registers are not taken over: another entry
 * of its node still shows the old state. The entry stays what it was but for the bytes and whether they may be
 * executed, as they stand there: else what is wanted as before would be taken to be there already, and what is
 * wanted now would be done again at each pass.
 */
export function heldRow(before: SyncedRow, after: SyncedRow): SyncedRow {
  const { version, executable } = after.entry
  return {
    ...after,
    key: before.key,
    entry: { ...before.entry, executable, ...(version ? { version } : {}) },
  }
}
