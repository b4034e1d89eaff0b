#!/usr/bin/env node
import './compiler-budget.js'
import { SyncError } from '@tidemark/protocol'
import { helpText, type Invocation, parseInvocation, UsageError } from './args.js'
import { versionText } from './version.js'

/** Each loads what it needs: a hub does without the folder, and most answers without either. */
const RUNNERS: Readonly<Record<string, () => Promise<(invocation: Invocation) => Promise<number>>>> = {
  hub: async () => (await import('./commands/hub.js')).runHub,
  sync: async () => (await import('./commands/sync.js')).runSync,
  status: async () => (await import('./commands/status.js')).runStatus,
  accept: async () => (await import('./commands/decide.js')).runAccept,
  revert: async () => (await import('./commands/decide.js')).runRevert,
  ls: async () => (await import('./commands/inspect.js')).runLs,
  cat: async () => (await import('./commands/inspect.js')).runCat,
  conflicts: async () => (await import('./commands/inspect.js')).runConflicts,
  explain: async () => (await import('./commands/inspect.js')).runExplain,
}

/** Those whose standard output is no result, but says what happens. */
const LOGGING: ReadonlySet<string> = new Set(['hub', 'sync'])
/** A full or failing disk under a log. */
const NO_ROOM: ReadonlySet<string | undefined> = new Set(['ENOSPC', 'EDQUOT', 'EIO'])
let isOutputLog = false

async function main(): Promise<number> {
  const invocation = parseInvocation(process.argv.slice(2))
  isOutputLog = LOGGING.has(invocation.command)
  if (invocation.command === 'help') {
    process.stdout.write(helpText(invocation.operands[0]))
    return 0
  }
  if (invocation.command === 'version') {
    process.stdout.write(versionText())
    return 0
  }
  const run = await RUNNERS[invocation.command]!()
  return run(invocation)
}

for (const output of [process.stdout, process.stderr]) {
  output.on('error', (error: NodeJS.ErrnoException) => {
    // The reader has gone (`tidemark ls DIR | head`): as for a command that SIGPIPE ends, that is no failure.
    if (error.code === 'EPIPE') process.exit(0)
    // Lines of a log are left out while there is no room: what they tell of goes on.
    if (NO_ROOM.has(error.code) && (isOutputLog || output === process.stderr)) return
    throw error
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
