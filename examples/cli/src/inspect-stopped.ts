import { parseSpaceName } from '@tidemark/protocol'
import { type Listed, listConflicts, listDirectory } from './listing.js'
import { openState } from './open-state.js'
import { readSettings } from './settings.js'
import type { StatePaths } from './state-paths.js'

/**
 * Reads the database of a folder that no `sync` runs on, without a connection.
 * @throws {Error} never synced; {DatabaseError} LOCKED: something else has it open.
 */
export async function inspectStopped(
  paths: StatePaths,
  what: 'ls' | 'conflicts',
  path: string,
): Promise<readonly Listed[]> {
  const settings = readSettings(paths.state)
  if (settings === undefined) throw new Error('this folder was never synced')
  const replica = await openState(paths.state)
  try {
    const space = await replica.openSpace(parseSpaceName(settings.space), { bound: true })
    return what === 'ls' ? await listDirectory(space, path) : await listConflicts(space)
  } finally {
    await replica.close()
  }
}
