import type { Problem } from './rows.js'

/** What a directory is that may not be entered, or read, and whatever cannot be looked at. */
export const UNLISTED = 'unreadable'
/** How many a status lists; the rest is counted. */
const LISTED_MAX = 1_000

/** What could not be synced, by the place that has to be looked at again to see that it is mended. */
export class Problems {
  readonly #bySource = new Map<string, readonly Problem[]>()
  readonly #unlisted = new Set<string>()

  /** Replaces what this source said before. @param source A directory that was scanned, with a slash behind it; a file; a part, with one before it. */
  set(source: string, problems: readonly Problem[]): void {
    if (problems.length === 0) this.#bySource.delete(source)
    else this.#bySource.set(source, problems)
    const isUnlisted = problems.some(({ path, cause }) => cause === UNLISTED && source === `${path}/`)
    if (isUnlisted) this.#unlisted.add(source)
    else this.#unlisted.delete(source)
  }

  /** @returns whether the same problem was not there yet. */
  has(source: string, cause: string): boolean {
    return this.#bySource.get(source)?.some((problem) => problem.cause === cause) === true
  }

  /** @param path A directory. @returns whether it, or one below it, could not be listed when that was tried last. */
  isUnlisted(path: string): boolean {
    for (const source of this.#unlisted) if (source.startsWith(`${path}/`)) return true
    return false
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
