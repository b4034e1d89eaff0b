import type { FolderStatus } from '@tidemark/folder'
import { printable } from './progress.js'

/** What `status --json` prints; stable. */
export interface StatusReport {
  readonly state: 'idle' | 'busy' | 'offline' | 'held' | 'error' | 'stopped'
  readonly connected: boolean
  /** Local and remote changes, and directories to look at, that are not done yet. 0: nothing waits. */
  readonly pending: number
  readonly pid: number | null
  readonly folder: string
  readonly space: string
  readonly hub: string
  /** Why the state is what it is, in words. */
  readonly detail: string
  readonly held: FolderStatus['held'] | null
  readonly transfer: FolderStatus['transfer']
  readonly problems: FolderStatus['problems']
  /** Deleted files and directories that are remembered until every device has heard of it; null: none runs. */
  readonly tombstones: number | null
}

/** The status of a running `sync`. */
export function statusReport(
  status: FolderStatus,
  bound: { readonly folder: string; readonly space: string; readonly hub: string },
): StatusReport {
  const { state, connected, pending, detail, held, transfer, problems } = status
  return {
    state,
    connected,
    pending,
    pid: process.pid,
    ...bound,
    detail,
    held: held ?? null,
    transfer,
    problems,
    tombstones: null,
  }
}

/** For people. */
export function formatStatus(report: StatusReport): string {
  const { state, detail } = report
  const lines = [state === 'stopped' ? `stopped; last words: ${detail}` : `${state}: ${detail}`]
  lines.push(
    `  ${report.folder} ⇄ ${report.space} at ${report.hub}${report.connected || state === 'stopped' ? '' : ' (not connected)'}`,
  )
  if (report.pending > 0) lines.push(`  ${report.pending} thing(s) to do`)
  for (const { path, detail, fix } of report.problems) {
    lines.push(`  ! ${printable(path)}: ${printable(detail)}${fix ? ` (${fix})` : ''}`)
  }
  return lines.join('\n')
}
