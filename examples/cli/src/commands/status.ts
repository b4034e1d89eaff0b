import { readFileSync } from 'node:fs'
import type { Invocation } from '../args.js'
import { flag } from '../args.js'
import { askControl } from '../control.js'
import { statePaths } from '../state-paths.js'
import { formatStatus, type StatusReport } from '../status-report.js'

/** Asks the running `sync`; where none runs, what the last one left, as `stopped`. */
export async function runStatus(invocation: Invocation): Promise<number> {
  const paths = statePaths(invocation)
  const answer = (await askControl(paths.socket, '/status')) as StatusReport | undefined
  const report = answer ?? lastReport(paths.statusFile)
  if (flag(invocation, 'json')) process.stdout.write(`${JSON.stringify(report)}\n`)
  else process.stdout.write(`${formatStatus(report)}\n`)
  return 0
}

function lastReport(file: string): StatusReport {
  try {
    const left = JSON.parse(readFileSync(file, 'utf8')) as StatusReport
    return { ...left, state: 'stopped', connected: false, pid: null, tombstones: null }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new Error('this folder was never synced')
    throw error
  }
}
