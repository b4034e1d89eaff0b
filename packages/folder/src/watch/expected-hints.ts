/** How long the system may take to report what we did ourselves. */
const EXPECTED_MS = 100
/** The longest that a hint is put off: where others write all the time, a user's change is seen as well. */
const LATE_MS_MAX = 5_000

/**
 * Hints that our own effects cause. They are not dropped, because a user may have written to the same
 * directory: only put off, so that a stream of remote changes does not scan a directory for each.
 */
export class ExpectedHints {
  /** Directories, and until when; `undefined`: until the pass that said so has ended. */
  readonly #until = new Map<string, number | undefined>()
  /** Directories whose hints were put off, and since when. */
  readonly #late = new Map<string, number>()

  /** From now on these directories are expected to be reported. */
  expect(directories: readonly string[]): void {
    for (const directory of directories) this.#until.set(directory, undefined)
  }

  /** Nothing more is done to the expected directories. @param nowMs Monotonic. */
  passEnded(nowMs: number): void {
    for (const [directory, until] of this.#until) {
      if (until === undefined) this.#until.set(directory, nowMs + EXPECTED_MS)
    }
  }

  /** @returns whether the hint is put off. */
  takes(directory: string, nowMs: number): boolean {
    if (!this.#until.has(directory) || (this.#until.get(directory) ?? nowMs) < nowMs) return false
    if (!this.#late.has(directory)) this.#late.set(directory, nowMs)
    return true
  }

  /** Directories whose hints were put off long enough. */
  due(nowMs: number): string[] {
    for (const [directory, until] of this.#until) {
      if (until !== undefined && until < nowMs) this.#until.delete(directory)
    }
    const due: string[] = []
    for (const [directory, sinceMs] of this.#late) {
      if (!this.#until.has(directory) || sinceMs + LATE_MS_MAX <= nowMs) due.push(directory)
    }
    for (const directory of due) this.#late.delete(directory)
    return due
  }

  get hasLate(): boolean {
    return this.#late.size > 0
  }

  /** Milliseconds until `due` is worth a call; `undefined`: nothing is put off. */
  dueInMs(nowMs: number): number | undefined {
    let next: number | undefined
    for (const [directory, sinceMs] of this.#late) {
      const due = Math.min((this.#until.get(directory) ?? nowMs) + 1, sinceMs + LATE_MS_MAX)
      next = Math.min(next ?? due, due)
    }
    return next === undefined ? undefined : Math.max(0, next - nowMs)
  }
}
