import { realpathSync, statSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { openReplica, type Replica, type ReplicaOptions } from '@tidemark/engine'
import { nodePlatform, openLevelStore } from '@tidemark/engine/node'
import { collectEveryMs } from './every-ms.js'

/**
 * Opens the replica of a state directory. LevelDB has a directory of its own in it: nothing else of the
 * state is a file of the database.
 *
 * @throws {DatabaseError} LOCKED: another process has it open; FORMAT_TOO_NEW.
 */
export async function openState(
  state: string,
  options: Pick<ReplicaOptions, 'limits' | 'compression'> = {},
): Promise<Replica> {
  const everyMs = collectEveryMs()
  const storage = await openLevelStore(join(state, 'database'))
  try {
    return await openReplica({
      storage,
      platform: nodePlatform,
      place: placeOf(state),
      agent: 'tidemark-cli',
      ...options,
      ...(everyMs === undefined ? {} : { collectEveryMs: everyMs }),
    })
  } catch (error) {
    await storage.close()
    throw error
  }
}

/** A copy of the directory has another inode, a copy on another machine another host. */
function placeOf(state: string): string {
  const path = realpathSync(state)
  return `${hostname()}:${statSync(path).ino}:${path}`
}
