import type { Space } from '@tidemark/engine'
import type { FolderBinding } from '@tidemark/folder'
import type { ControlHandler } from './control.js'
import { listConflicts, listDirectory } from './listing.js'
import type { StatusReport } from './status-report.js'

export interface ControlParts {
  readonly binding: FolderBinding
  readonly space: Space
  readonly report: () => StatusReport
}

/** What a running `sync` answers on its local socket. */
export function controlRoutes({ binding, space, report }: ControlParts): ControlHandler {
  return async (path, query) => {
    const operand = query.get('path') ?? ''
    switch (path) {
      case '/status':
        return report()
      case '/accept':
        mustBeHeld(binding)
        await binding.accept()
        return {}
      case '/revert':
        mustBeHeld(binding)
        await binding.revert()
        return {}
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

const problemsOf = ({ status }: FolderBinding, path: string): string[] =>
  status.problems
    .filter((problem) => problem.path === path)
    .map(({ cause, detail, fix }) => `problem now: ${cause}: ${detail}${fix ? ` (${fix})` : ''}`)
