import type { Problem } from './rows.js'

/** How many a status lists; the rest is counted. */
const LISTED_MAX = 1_000

/** What could not be synced, by the place that has to be looked at again to see that it is mended. */
export class Problems {
  readonly #bySource = new Map<string, readonly Problem[]>()

  /** Replaces what this source said before. @param source A directory that was scanned, a file, a part. */
  set(source: string, problems: readonly Problem[]): void {
    if (problems.length === 0) this.#bySource.delete(source)
    else this.#bySource.set(source, problems)
  }

  /** @returns whether the same problem was not there yet. */
  has(source: string, cause: string): boolean {
    return this.#bySource.get(source)?.some((problem) => problem.cause === cause) === true
  }

  list(): readonly Problem[] {
    const all: Problem[] = []
    for (const problems of this.#bySource.values()) {
      for (const problem of problems) {
        if (all.length === LISTED_MAX) return all
        all.push(problem)
      }
    }
    return all
  }
}
