import type { Space } from '@tidemark/engine'
import type { FolderBinding } from '@tidemark/folder'
import { TransportError } from '@tidemark/protocol'
import type { ControlHandler } from './control.js'
import { listConflicts, listDirectory } from './listing.js'
import type { StatusReport } from './status-report.js'

export interface ControlParts {
  readonly binding: FolderBinding
  readonly space: Space
  readonly report: () => StatusReport
}

/** What came of `accept` or `revert`. */
export interface Decided {
  /** Why the folder is held still: it is not done. */
  readonly held?: string
  /** What is left, and what for. */
  readonly waiting?: string
}

/** What a running `sync` answers on its local socket. */
export function controlRoutes({ binding, space, report }: ControlParts): ControlHandler {
  return async (path, query) => {
    const operand = query.get('path') ?? ''
    switch (path) {
      case '/status':
        return { ...report(), tombstones: await space.tombstones() }
      case '/accept':
        mustBeHeld(binding)
        await binding.accept()
        if (binding.status.held) return stillHeld(binding)
        return binding.status.connected ? {} : { waiting: 'it is sent when the hub can be reached' }
      case '/revert':
        mustBeHeld(binding)
        return { ...(await revert(binding)), ...stillHeld(binding) }
      case '/explain':
        return [...(await binding.explain(operand)), ...problemsOf(binding, operand)]
      case '/ls':
        return listDirectory(space, operand)
      case '/conflicts':
        return listConflicts(space)
      default:
        throw new Error(`the running sync does not know ${path}: is it another version?`)
    }
  }
}

function mustBeHeld({ status }: FolderBinding): void {
  if (status.held === undefined) throw new Error('nothing is held')
}

/** What needs the hub is no failure: it comes by itself. */
async function revert(binding: FolderBinding): Promise<Decided> {
  try {
    const [first, ...rest] = await binding.revert()
    if (!first) return {}
    const others = rest.length === 0 ? '' : ` (and ${rest.length} more)`
    return { waiting: `${first.path}${others} stays: ${first.detail}; ${first.fix}` }
  } catch (error) {
    if (error instanceof TransportError) return { waiting: error.message }
    throw error
  }
}

const stillHeld = ({ status: { held } }: FolderBinding): Decided => (held ? { held: held.reason } : {})

const problemsOf = ({ status }: FolderBinding, path: string): string[] =>
  status.problems
    .filter((problem) => problem.path === path)
    .map(({ cause, detail, fix }) => `problem now: ${cause}: ${detail}${fix ? ` (${fix})` : ''}`)
