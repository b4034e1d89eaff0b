import { dirname, join } from 'node:path'
import type { EntryKey } from '@tidemark/engine'
import type { ApplyContext } from '../apply-context.js'
import { STAGING_DIR, type SyncedRow } from '../rows.js'
import { mayBeThere } from './disk.js'
import type { Item } from './item.js'
import { readLifts, readUnsettled } from './journal.js'

/**
 * What waits until interrupted effects are settled, because the disk does not let them be looked at now: their
 * entries (that one has no row does not say that it is not there), and the directories that lead to them (they
 * are found by their paths).
 */
export class Unsettled {
  private constructor(
    readonly keys: ReadonlySet<EntryKey>,
    /** Where these effects began, and where they were to end. */
    readonly paths: ReadonlySet<string>,
    private readonly directories: ReadonlySet<string>,
  ) {}

  static async read({ space, rows, files, directory }: ApplyContext): Promise<Unsettled> {
    const keys = new Set<EntryKey>()
    const paths = new Set<string>()
    const directories = new Set<string>()
    for (const { key, row, from, to } of await readUnsettled(space.rows)) {
      keys.add(key).add(row?.key ?? key)
      for (const path of [from, to]) if (path !== undefined) paths.add(path)
    }
    for (const path of paths) for (let at = dirname(path); at !== '.'; at = dirname(at)) directories.add(at)
    for (const { row, path } of await readLifts(space.rows)) {
      // Where it is recorded that it waits in staging, whoever goes on with the pass finds it there.
      const isRecorded = (await rows.get(row.key))?.dir === STAGING_DIR
      // What the disk refused to lift is where it was.
      if (!isRecorded && mayBeThere(files, join(directory, path))) keys.add(row.key)
    }
    return new Unsettled(keys, paths, directories)
  }

  /** @param pathOf Where the thing of a row stands, relative to the bound directory. */
  concerns({ key, row }: Item, pathOf: (row: SyncedRow) => string): boolean {
    if (this.keys.has(key)) return true
    if (!row) return false
    return this.keys.has(row.key) || (row.entry.kind === 'dir' && this.directories.has(pathOf(row)))
  }
}
