#!/usr/bin/env node
import './compiler-budget.js'
import { SyncError } from '@tidemark/protocol'
import { helpText, parseInvocation, UsageError } from './args.js'
import { runAccept, runRevert } from './commands/decide.js'
import { runHub } from './commands/hub.js'
import { runCat, runConflicts, runExplain, runLs } from './commands/inspect.js'
import { runStatus } from './commands/status.js'
import { runSync } from './commands/sync.js'
import { versionText } from './version.js'

const RUNNERS = {
  hub: runHub,
  sync: runSync,
  status: runStatus,
  accept: runAccept,
  revert: runRevert,
  ls: runLs,
  cat: runCat,
  conflicts: runConflicts,
  explain: runExplain,
} as const

async function main(): Promise<number> {
  const invocation = parseInvocation(process.argv.slice(2))
  if (invocation.command === 'help') {
    process.stdout.write(helpText(invocation.operands[0]))
    return 0
  }
  if (invocation.command === 'version') {
    process.stdout.write(versionText())
    return 0
  }
  return RUNNERS[invocation.command as keyof typeof RUNNERS](invocation)
}

// The reader has gone (`tidemark ls DIR | head`): as for a command that SIGPIPE ends, that is no failure.
for (const output of [process.stdout, process.stderr]) {
  output.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(0)
  })
}

main().then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    if (error instanceof UsageError) {
      process.stderr.write(`tidemark: ${error.message}\n`)
      process.exitCode = 2
      return
    }
    const code = error instanceof SyncError ? `${error.code}: ` : ''
    process.stderr.write(`tidemark: ${code}${error instanceof Error ? error.message : String(error)}\n`)
    if (process.env.TIDEMARK_DEBUG && error instanceof Error) process.stderr.write(`${error.stack}\n`)
    process.exitCode = 1
  },
)
