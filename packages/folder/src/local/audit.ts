import { type EntryKey, entryKey, sameEntry } from '@tidemark/engine'
import { ROOT } from '@tidemark/protocol'
import type { SyncedRow } from '../rows.js'
import { wantedLocalName } from '../wanted-name.js'
import type { PushContext } from './push-context.js'

type AuditContext = Pick<PushContext, 'rows' | 'space'>

/**
 * Compares every row with what the space shows, and has looked at again what differs: an entry without a
 * row, a row whose entry is shown otherwise, elsewhere, or not at all. What is marked already is marked once
 * more; what should not differ heals, instead of staying different for good.
 *
 * @returns how many entries are to be looked at.
 */
export async function auditRows(context: AuditContext): Promise<number> {
  let found = 0
  for await (const page of context.rows.all()) found += await touchDifferent(context, page)
  return found + (await touchMissing(context, ROOT))
}

/** As `auditRows`, of one directory and all below it. */
export async function auditBelow(context: AuditContext, directory: EntryKey): Promise<number> {
  let found = 0
  const directories = [directory]
  for (let dir = directories.pop(); dir !== undefined; dir = directories.pop()) {
    const rows = [...(await context.rows.inDirectory(dir)).values()]
    found += await touchDifferent(context, rows)
    for (const { key, entry } of rows) if (entry.kind === 'dir') directories.push(key)
  }
  return found + (await touchMissing(context, directory))
}

async function touchDifferent({ space }: AuditContext, rows: readonly SyncedRow[]): Promise<number> {
  const different: EntryKey[] = []
  for (const row of rows) {
    const want = await space.received.entry(row.key)
    const isSame =
      want !== undefined &&
      sameEntry(want, row.entry) &&
      row.dir === want.parent &&
      row.localName === wantedLocalName(row, want)
    if (!isSame) different.push(row.key)
  }
  if (different.length > 0) await space.touch(different)
  return different.length
}

/** Entries that the space shows at or below this directory and that no row stands for. */
async function touchMissing({ rows, space }: AuditContext, directory: EntryKey): Promise<number> {
  let found = 0
  const directories = [directory]
  for (let dir = directories.pop(); dir !== undefined; dir = directories.pop()) {
    for await (const page of space.received.children(dir as typeof ROOT)) {
      const keys = page.map(entryKey)
      const known = await rows.getMany(keys)
      const missing = keys.filter((_, i) => known[i] === undefined)
      found += missing.length
      if (missing.length > 0) await space.touch(missing)
      for (const [i, entry] of page.entries()) if (entry.kind === 'dir') directories.push(keys[i]!)
    }
  }
  return found
}
