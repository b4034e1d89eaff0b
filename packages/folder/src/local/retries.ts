/** Waits between attempts at what does not succeed, then once a minute. */
export const DELAYS_MS = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000]

/** How long a file that was due stays known: what became of it shows in the scan that follows. */
const PROBATION_MS = 60_000

interface Attempt {
  readonly count: number
  readonly dueMs: number
  /** It will be quiet some time; otherwise only a person can help. */
  readonly isChanging: boolean
  /** Its time came: another failure or a success is about to follow, or it is no more. */
  readonly isOnProbation: boolean
  readonly owed: Owed
}

/** What must be looked at, with all below, once something can be looked at again: the names in it, or everything. */
export type Owed = ReadonlySet<string> | 'all'

const NOTHING: Owed = new Set()

/** Files that could not be read as they were, and directories (with a slash behind them) of which something could not be looked at, each with the time of its next attempt. Times are monotonic: a clock that is set back must not put it off. */
export class Retries {
  readonly #attempts = new Map<string, Attempt>()

  /** @returns whether this is the first failure in a row. */
  failed(path: string, nowMs: number, isChanging: boolean, owed: Owed = NOTHING): boolean {
    const count = (this.#attempts.get(path)?.count ?? 0) + 1
    const dueMs = nowMs + DELAYS_MS[Math.min(count, DELAYS_MS.length) - 1]!
    this.#attempts.set(path, { count, dueMs, isChanging, isOnProbation: false, owed })
    return count === 1
  }

  /** @returns whether it had failed before. */
  succeeded(path: string): boolean {
    return this.#attempts.delete(path)
  }

  owed(path: string): Owed {
    return this.#attempts.get(path)?.owed ?? NOTHING
  }

  mustWait(path: string, nowMs: number): boolean {
    const attempt = this.#attempts.get(path)
    return attempt !== undefined && !attempt.isOnProbation && attempt.dueMs > nowMs
  }

  /** Takes the paths whose time has come, and those that were due and never heard of again. */
  takeDue(nowMs: number): { readonly due: readonly string[]; readonly over: readonly string[] } {
    const due: string[] = []
    const over: string[] = []
    for (const [path, attempt] of this.#attempts) {
      if (attempt.dueMs > nowMs) continue
      if (attempt.isOnProbation) {
        this.#attempts.delete(path)
        over.push(path)
      } else {
        this.#attempts.set(path, { ...attempt, dueMs: nowMs + PROBATION_MS, isOnProbation: true })
        due.push(path)
      }
    }
    return { due, over }
  }

  /** When the next one is due, or `undefined`. */
  get nextMs(): number | undefined {
    let next: number | undefined
    for (const { dueMs } of this.#attempts.values()) next = Math.min(next ?? dueMs, dueMs)
    return next
  }

  /** Whether something waits for a person. */
  get isStuck(): boolean {
    return [...this.#attempts.values()].some(({ isChanging }) => !isChanging)
  }

  /** Files that are being written. */
  get changing(): number {
    let count = 0
    for (const { isChanging, isOnProbation } of this.#attempts.values()) {
      if (isChanging && !isOnProbation) count++
    }
    return count
  }
}
