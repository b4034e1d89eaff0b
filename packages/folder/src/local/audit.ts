import { type EntryKey, entryKey, sameEntry } from '@tidemark/engine'
import { ROOT } from '@tidemark/protocol'
import type { PushContext } from './push-context.js'

/**
 * Compares every row with what the space shows, and has looked at again what differs: an entry without a
 * row, a row whose entry is shown otherwise or not at all. What is marked already is marked once more; what
 * should not differ heals, instead of staying different for good.
 *
 * @returns how many entries are to be looked at.
 */
export async function auditRows({ rows, space }: Pick<PushContext, 'rows' | 'space'>): Promise<number> {
  let found = 0
  const touch = async (keys: readonly EntryKey[]): Promise<void> => {
    found += keys.length
    if (keys.length > 0) await space.touch(keys)
  }
  for await (const page of rows.all()) {
    const different: EntryKey[] = []
    for (const row of page) {
      if (!sameEntry(await space.received.entry(row.key), row.entry)) different.push(row.key)
    }
    await touch(different)
  }
  const directories = [ROOT as EntryKey]
  for (let dir = directories.pop(); dir !== undefined; dir = directories.pop()) {
    for await (const page of space.received.children(dir as typeof ROOT)) {
      const keys = page.map(entryKey)
      const known = await rows.getMany(keys)
      await touch(keys.filter((_, i) => known[i] === undefined))
      for (const [i, entry] of page.entries()) if (entry.kind === 'dir') directories.push(keys[i]!)
    }
  }
  return found
}
