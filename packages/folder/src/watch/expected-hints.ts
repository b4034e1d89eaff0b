/** How long the system may take to report what we did ourselves. */
const EXPECTED_MS = 100

/**
 * Hints that our own effects cause. They are not dropped, because a user may have written to the same
 * directory: only put off, so that a stream of remote changes does not scan a directory for each.
 */
export class ExpectedHints {
  /** Directories, and until when; `undefined`: until the pass that said so has ended. */
  readonly #until = new Map<string, number | undefined>()
  readonly #late = new Set<string>()

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
    this.#late.add(directory)
    return true
  }

  /** Directories whose hints were put off, when all expected ones are past. */
  due(nowMs: number): string[] {
    for (const [directory, until] of this.#until) {
      if (until !== undefined && until < nowMs) this.#until.delete(directory)
    }
    if (this.#until.size > 0) return []
    const due = [...this.#late]
    this.#late.clear()
    return due
  }

  get hasLate(): boolean {
    return this.#late.size > 0
  }

  /** Milliseconds until `due` is worth a call; `undefined`: nothing is put off. */
  dueInMs(nowMs: number): number | undefined {
    if (this.#late.size === 0) return undefined
    let last = nowMs
    for (const until of this.#until.values()) last = Math.max(last, until ?? nowMs)
    return last - nowMs + 1
  }
}
