import type { Problem } from '../rows.js'
import { mib } from './room.js'

export const noSpace = (path: string, neededBytes: number): Problem => ({
  path,
  cause: 'no-space',
  detail: `needs ${mib(neededBytes)} and a reserve of 64 MiB, the volume has less`,
  fix: 'free some space; it is tried again by itself',
})

/** @param error What the last attempt ended with: it names the chunk, or says what the store answered. */
export const waitingForBytes = (path: string, error?: Error): Problem => ({
  path,
  cause: 'waiting-for-bytes',
  detail: `no peer that is connected now holds these bytes${error ? `: ${error.message}` : ''}`,
  fix: 'connect a device that has this version, or put a copy of the file anywhere into a folder of this space',
})

export const waitingForHub = (path: string): Problem => ({
  path,
  cause: 'waiting-for-hub',
  detail: 'its bytes are not on this device, and no hub is connected',
  fix: 'nothing: it comes when the hub can be reached',
})

export const refusedByDisk = (path: string, errno: string): Problem => ({
  path,
  cause: errno === 'ENOSPC' || errno === 'EDQUOT' ? 'no-space' : 'cannot-write',
  detail: `the file system refused: ${errno}`,
  fix: 'check permissions and free space; it is tried again by itself',
})

export const keepsUnsynced = (path: string): Problem => ({
  path,
  cause: 'not-empty',
  detail:
    'deleted elsewhere, or moved to where it is ignored here, but it holds files that are ignored here or cannot be synced',
  fix: 'remove or move these files; the directory goes by itself then',
})

export const takenByIgnored = (path: string): Problem => ({
  path,
  cause: 'place-taken',
  detail: 'others changed what is at this place, and something stands here that is ignored here',
  fix: 'move or remove it, or change the rule; what others have comes by itself then',
})
