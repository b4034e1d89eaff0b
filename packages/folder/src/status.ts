import type { LinkState } from '@tidemark/engine'
import type { FolderStatus } from './folder-binding.js'
import type { Hold } from './holds.js'
import type { Problem } from './rows.js'

/** All that the state of a folder depends on. */
export interface StatusFacts {
  readonly link: LinkState
  readonly hold: Hold | undefined
  /** The last turn failed. */
  readonly error: Error | undefined
  readonly isRunning: boolean
  readonly isImported: boolean
  /** Local: directories hinted or left for later, files that change, files on their way up, absences. */
  readonly localPending: number
  /** Entries of the space that the disk does not show yet. */
  readonly remotePending: number
  readonly problems: readonly Problem[]
  readonly transfer: FolderStatus['transfer']
}

/** What a person is told. Pure. */
export function statusOf(facts: StatusFacts): FolderStatus {
  const { link, hold, problems, transfer } = facts
  const [state, detail] = stateOf(facts)
  return {
    state,
    connected: link.connected,
    pending: facts.localPending + facts.remotePending,
    detail,
    problems,
    transfer,
    ...(hold ? { held: { reason: hold.reason, deletes: hold.deletes, entries: hold.entries } } : {}),
  }
}

function stateOf(facts: StatusFacts): [state: FolderStatus['state'], detail: string] {
  const { link, hold, error, localPending, remotePending } = facts
  if (hold) return ['held', hold.reason]
  if (error) return ['error', error.message]
  if (link.configured && !link.connected) return ['offline', 'the hub cannot be reached; changes wait here']
  if (link.configured && !link.everSynced) return ['busy', 'waiting for the first sync with the hub']
  if (facts.isRunning) return ['busy', facts.isImported ? 'working' : 'first scan of the folder']
  if (localPending > 0) return ['busy', `${localPending} local change(s) are not sent yet`]
  if (remotePending > 0) return ['busy', `${remotePending} change(s) of others are not on disk yet`]
  if (link.configured && !link.equal) return ['busy', 'the hub and this device are exchanging changes']
  return ['idle', 'both sides are equal']
}
