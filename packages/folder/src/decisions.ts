/** Lines kept for one path. */
const LINES_PER_PATH = 20
/** Paths remembered: the log is for a person who asks what just happened. */
const PATHS_MAX = 2_000

/** What was done with which path and why: a short memory, oldest paths go first. */
export class Decisions {
  readonly #lines = new Map<string, string[]>()

  note(path: string, line: string): void {
    const lines = this.#lines.get(path) ?? []
    // Set anew: the map keeps the order of last use.
    this.#lines.delete(path)
    this.#lines.set(path, lines)
    lines.push(line)
    if (lines.length > LINES_PER_PATH) lines.shift()
    if (this.#lines.size > PATHS_MAX) this.#lines.delete(this.#lines.keys().next().value!)
  }

  of(path: string): readonly string[] {
    return [...(this.#lines.get(path) ?? [])]
  }
}
