import type { SyncedRow } from '../rows.js'
import { type RowChange, rowOps } from '../rows-store.js'
import type { PushContext } from './push-context.js'

/**
 * Gives rows whose directory has no row (it merged with another one, and goes by another key now) the
 * directory that the synced tree shows them in. What has no place there either loses its row, and its
 * entry is looked at again.
 *
 * @returns the directories that must be looked at: what has a row there now may not stand there.
 */
export async function mendOrphans({ rows, space }: PushContext): Promise<string[]> {
  const directories = new Set<string>()
  for (const dir of await rows.orphanDirectories()) {
    const changes: RowChange[] = []
    const taken = new Set<string>()
    for (const row of (await rows.inDirectory(dir)).values()) {
      const after = await newPlace(row, { rows, space })
      const place = after && `${after.dir}/${after.localName}`
      const isFree =
        place !== undefined && !taken.has(place) && !(await rows.at(after!.dir, after!.localName))
      if (place !== undefined) taken.add(place)
      changes.push({ before: row, after: isFree ? after : undefined })
    }
    await space.touch(changes.map(({ before }) => before!.key))
    await space.writeRows(rowOps(changes), { sync: false })
    for (const { after } of changes) directories.add((after && (await rows.pathOfDirectory(after.dir))) ?? '')
  }
  return [...directories]
}

async function newPlace(
  row: SyncedRow,
  { rows, space }: Pick<PushContext, 'rows' | 'space'>,
): Promise<SyncedRow | undefined> {
  const entry = await space.synced.entry(row.key)
  if (!entry || entry.parent === row.dir) return undefined
  const directory = await rows.pathOfDirectory(entry.parent)
  return directory === undefined ? undefined : { ...row, dir: entry.parent, entry }
}
