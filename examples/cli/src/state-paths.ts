import { createHash } from 'node:crypto'
import { realpathSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { type Invocation, textOption, UsageError } from './args.js'

/** Where a binding keeps its database and its status. */
export interface StatePaths {
  readonly folder: string | undefined
  /** Directory of the database, `status.json` and `settings.json`. */
  readonly state: string
  /** The state is below the folder: no `--state`. */
  readonly inFolder: boolean
  readonly statusFile: string
  /** Unix socket of a running `sync`. In the temporary directory because socket paths are short. */
  readonly socket: string
}

/** @throws {UsageError} neither a folder nor `--state`. */
export function statePaths(invocation: Invocation): StatePaths {
  const operand = invocation.operands[0]
  const folder = operand === undefined ? undefined : resolve(operand)
  const given = textOption(invocation, 'state')
  if (folder === undefined && given === undefined) throw new UsageError('name a folder or --state DIR')
  const state = given === undefined ? join(folder!, '.tidemark', 'state') : resolve(given)
  return {
    folder,
    state,
    inFolder: given === undefined,
    statusFile: join(state, 'status.json'),
    socket: socketPath(state),
  }
}

function socketPath(state: string): string {
  const hash = createHash('sha256').update(realPath(state)).digest('hex').slice(0, 24)
  return join(tmpdir(), `tidemark-${userInfo().uid}-${hash}.sock`)
}

/** Without symbolic links, also before it exists: the deepest ancestor that does is resolved. */
export function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    const parent = dirname(path)
    return parent === path ? path : join(realPath(parent), basename(path))
  }
}
