import type { LinkState } from '@tidemark/engine'
import { SyncError } from '@tidemark/protocol'
import type { FolderStatus } from './folder-binding.js'
import type { Hold } from './holds.js'
import type { Item } from './local/item.js'
import type { Problem } from './rows.js'

/** Local changes that are not done, by what they wait for. */
export interface LocalPending {
  /** Directories to look at. */
  readonly hinted: number
  /** Files that are being written. */
  readonly changing: number
  /** Large files on their way up. */
  readonly uploading: number
  /** 1 while files are looked up that the hub has lost and asks for. */
  readonly wanted: number
  /** Things that are gone and may turn up elsewhere. */
  readonly absent: number
  /** Directories with changes that wait for the hub. */
  readonly unpushed: number
}

/** All that the state of a folder depends on. */
export interface StatusFacts {
  readonly link: LinkState
  readonly hold: Hold | undefined
  /** The last turn failed. */
  readonly error: Error | undefined
  readonly isRunning: boolean
  readonly isImported: boolean
  /** The database began anew, and the hub's state is not here yet. */
  readonly isPaused: boolean
  readonly local: LocalPending
  /** Local changes that are not sent because this device may only read. */
  readonly unsent: readonly Item[]
  /** Bytes of others are on their way, or about to be asked for. */
  readonly isReceiving: boolean
  /** Entries of the space that the disk does not show yet. */
  readonly remotePending: number
  /** These cannot be put on disk, for reasons that are among the problems; attempts go on. */
  readonly isRemoteBlocked: boolean
  readonly problems: readonly Problem[]
  readonly transfer: FolderStatus['transfer']
}

/** Before the space says otherwise. */
export const NO_LINK: LinkState = {
  configured: false,
  connected: false,
  everSynced: false,
  equal: true,
  readOnly: false,
  unsent: false,
  uploading: false,
}

/** There is a hub, and it is away: what changes here waits on the disk. */
export const isOffline = ({ configured, connected }: LinkState): boolean => configured && !connected

/** Whether the hub has all that was written here. */
export const isSent = ({ configured, equal, unsent }: LinkState): boolean => !configured || (equal && !unsent)

/** What a person is told. Pure. */
export function statusOf(facts: StatusFacts): FolderStatus {
  const { link, problems, transfer } = facts
  const hold = facts.hold ?? unsentHold(facts.unsent)
  const [state, detail] = stateOf(facts)
  return {
    state,
    connected: link.connected,
    pending: sum(facts.local) + facts.remotePending,
    detail,
    problems,
    transfer,
    ...(hold ? { held: { reason: hold.reason, deletes: hold.deletes, entries: hold.entries } } : {}),
  }
}

function stateOf(facts: StatusFacts): [state: FolderStatus['state'], detail: string] {
  const { link, hold, error, local, remotePending } = facts
  if (hold) return ['held', hold.reason]
  if (error) return ['error', error.message]
  if (isOffline(link)) return ['offline', `${notConnected(link)}; changes wait here`]
  if (link.configured && !link.everSynced) return ['busy', 'waiting for the first sync with the hub']
  if (facts.isPaused) return ['busy', 'this device was away for too long: it waits for the state of the hub']
  if (facts.isRunning) return ['busy', facts.isImported ? 'working' : 'first scan of the folder']
  if (sum(local) > 0) return ['busy', `not sent yet: ${inWords(local)}`]
  const unsent = unsentHold(facts.unsent)
  // What others change at the same places waits too.
  if (unsent && !facts.isReceiving) return ['held', unsent.reason]
  if (link.unsent) return ['held', UNSENT_WRITES]
  if (remotePending > 0 && facts.isRemoteBlocked) {
    return ['error', `${remotePending} change(s) of others cannot be put on disk: see the problems`]
  }
  if (remotePending > 0) return ['busy', `${remotePending} change(s) of others are not on disk yet`]
  if (link.configured && !link.equal) return ['busy', 'the hub and this device are exchanging changes']
  return [
    'idle',
    facts.problems.length === 0 ? 'both sides are equal' : 'all else is equal: see the problems',
  ]
}

function notConnected({ error }: LinkState): string {
  if (!error) return 'not connected yet'
  return `not connected: ${error instanceof SyncError ? `${error.code}: ` : ''}${error.message}`
}

/** Written when this device could write, and not arrived. */
const UNSENT_WRITES =
  'this device may only read: changes that it made before are sent when it may write again'

/** What a person can `revert`. */
function unsentHold(unsent: readonly Item[]): Omit<Hold, 'kind'> | undefined {
  if (unsent.length === 0) return undefined
  return {
    reason: `${unsent.length} local change(s) are not sent, because this device may only read: revert throws them away`,
    deletes: unsent.filter(({ type }) => type === 'delete').length,
    entries: unsent.length,
  }
}

const sum = (local: LocalPending): number => Object.values(local).reduce((total, count) => total + count, 0)

function inWords({ hinted, changing, uploading, wanted, absent, unpushed }: LocalPending): string {
  const parts = [
    [hinted, 'directories to look at'],
    [changing, 'files that are being written'],
    [uploading, 'large files on their way'],
    [wanted, 'search for files that the hub has lost'],
    [absent, 'things that are gone and may turn up elsewhere'],
    [unpushed, 'directories with changes that waited for the hub'],
  ] as const
  return parts.flatMap(([count, what]) => (count > 0 ? `${count} ${what}` : [])).join(', ')
}
