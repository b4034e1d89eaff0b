import type { EntryKey } from '@tidemark/engine'
import type { Problem } from '../rows.js'

/** What `applyRemote` came to. */
export interface Applied {
  /** Entries that the disk now shows. */
  readonly applied: number
  /** Entries that are still to be applied. */
  readonly deferred: number
  readonly problems: Problem[]
  /** Relative directories (`''`: the bound one) whose content was not what the rows say. */
  readonly rescan: string[]
}

/** Collects results over the batches of one run. */
export class Report {
  applied = 0
  readonly deferred = new Set<EntryKey>()
  readonly #problems = new Map<string, Problem>()
  readonly #rescan = new Set<string>()

  defer(key: EntryKey): void {
    this.deferred.add(key)
  }

  rescan(directory: string): void {
    this.#rescan.add(directory)
  }

  problem(problem: Problem): void {
    this.#problems.set(`${problem.cause}:${problem.path}`, problem)
  }

  result(): Applied {
    return {
      applied: this.applied,
      deferred: this.deferred.size,
      problems: [...this.#problems.values()],
      rescan: [...this.#rescan].sort(),
    }
  }
}
