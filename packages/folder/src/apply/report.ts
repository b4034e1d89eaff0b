import type { EntryKey } from '@tidemark/engine'
import type { Problem } from '../rows.js'

/** What `applyRemote` came to. */
export interface Applied {
  /** What was done on the disk. */
  readonly applied: number
  /** Entries that are still to be applied. */
  readonly deferred: number
  /** Entries that stay different until a person acts: each is below, or at, a problem. */
  readonly kept: ReadonlySet<EntryKey>
  readonly problems: Problem[]
  /** Something waits until the hub has what was written here. */
  readonly awaitsHub: boolean
  /** Relative directories (`''`: the bound one) whose content was not what the rows say. */
  readonly rescan: string[]
}

/** Collects results over the batches of one run. */
export class Report {
  applied = 0
  awaitsHub = false
  readonly deferred = new Set<EntryKey>()
  readonly #kept = new Set<EntryKey>()
  readonly #problems = new Map<string, Problem>()
  readonly #rescan = new Set<string>()

  defer(key: EntryKey): void {
    this.deferred.add(key)
  }

  /** It stays as it is, and nothing waits for it. */
  keep(key: EntryKey): void {
    this.#kept.add(key)
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
      deferred: [...this.deferred].filter((key) => !this.#kept.has(key)).length,
      kept: this.#kept,
      problems: [...this.#problems.values()],
      awaitsHub: this.awaitsHub,
      rescan: [...this.#rescan].sort(),
    }
  }
}
