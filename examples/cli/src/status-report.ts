import type { FolderStatus } from '@tidemark/folder'
import { printable } from './progress.js'

/** What `status --json` prints; stable. */
export interface StatusReport {
  readonly state: 'idle' | 'busy' | 'offline' | 'held' | 'error' | 'stopped'
  readonly connected: boolean
  /** Local changes and remote changes that are not done yet. */
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
  }
}

/** For people. */
export function formatStatus(report: StatusReport): string {
  const lines = [`${report.state}${report.detail ? `: ${report.detail}` : ''}`]
  lines.push(
    `  ${report.folder} ⇄ ${report.space} at ${report.hub}${report.connected ? '' : ' (not connected)'}`,
  )
  if (report.pending > 0) lines.push(`  ${report.pending} change(s) not done yet`)
  for (const { path, detail, fix } of report.problems) {
    lines.push(`  ! ${printable(path)}: ${printable(detail)}${fix ? ` (${fix})` : ''}`)
  }
  return lines.join('\n')
}
