/** Longest and shortest time between attempts at what could not be applied. */
const RETRY_MIN_MS = 1_000
const RETRY_MAX_MS = 60_000
/** Stamps are older than their step after this long, wherever they are. */
const LOOK_MIN_MS = 3_000
/** What is looked at again and again without any change is looked at this seldom. */
const LOOK_MAX_MS = 15 * 60_000
/** Passes in a row that change nothing: then it is no matter of a moment. */
const STUCK_PASSES = 3
/** How long a remote pass may go on at least when local changes wait. */
const PATIENCE_MIN_MS = 50
const PATIENCE_MAX_MS = 60_000

/** When to try again what could not be applied, and when to break off for local changes. Times are monotonic. */
export class RemotePace {
  #startMs = 0
  #interruptions = 0
  #stuck = 0
  #retryAtMs: number | undefined
  #lookAgainAtMs = 0
  #looks = 0

  started(nowMs: number): void {
    this.#startMs = nowMs
    this.#retryAtMs = undefined
  }

  /** It gave way to local changes: next time it may go on longer, so that it comes to an end. */
  interrupted(): void {
    this.#interruptions++
  }

  /**
   * @returns whether directories that did not look as expected should be scanned at once: not when that
   *   was done already and changed nothing, but more and more seldom: stamps that proved nothing at one look
   *   come of age, unless they are those of a file whose other name was in work just then.
   */
  ended(result: { applied: number; deferred: number; rescan: number }, nowMs: number): boolean {
    this.#interruptions = 0
    if (result.deferred === 0 && result.rescan === 0) {
      this.#stuck = 0
      return true
    }
    this.#stuck = result.applied > 0 ? 0 : this.#stuck + 1
    this.#retryAtMs = nowMs + Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.max(0, this.#stuck - 1))
    if (this.#stuck < 2) this.#looks = 0
    else if (nowMs < this.#lookAgainAtMs) return false
    this.#lookAgainAtMs = nowMs + Math.min(LOOK_MAX_MS, LOOK_MIN_MS * 2 ** this.#looks)
    this.#looks++
    return true
  }

  /** Other circumstances: what failed may do now. */
  resumed(): void {
    this.#stuck = 0
  }

  /** Whether attempts go on, but nothing was applied by several in a row. */
  get isStuck(): boolean {
    return this.#stuck >= STUCK_PASSES
  }

  /** How much longer the running pass may go on. */
  patienceMs(nowMs: number): number {
    const allowed = Math.min(PATIENCE_MAX_MS, PATIENCE_MIN_MS * 2 ** this.#interruptions)
    return Math.max(0, this.#startMs + allowed - nowMs)
  }

  isDue(nowMs: number): boolean {
    return this.#retryAtMs !== undefined && this.#retryAtMs <= nowMs
  }

  dueInMs(nowMs: number): number | undefined {
    return this.#retryAtMs === undefined ? undefined : Math.max(0, this.#retryAtMs - nowMs)
  }
}
