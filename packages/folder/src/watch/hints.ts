/** Directories that must be looked at again, and how deep. */
export interface HintSet {
  /** Everything. */
  readonly isFull: boolean
  /** Relative paths; `true`: with all below. */
  readonly directories: ReadonlyMap<string, boolean>
}

/** Hints are handed out after this much quiet … */
const QUIET_MS = 6
/** … or when the oldest has waited this long: a folder that is written to all the time is synced too. */
const WAIT_MS = 50

/** Collects hints until they are worth a scan. Many hints for one directory are one. */
export class Hints {
  #directories = new Map<string, boolean>()
  #isFull = false
  #firstMs: number | undefined
  #lastMs = 0

  /** @param nowMs Monotonic. */
  add(directory: string, isDeep: boolean, nowMs: number): void {
    this.#directories.set(directory, isDeep || this.#directories.get(directory) === true)
    this.#touch(nowMs)
  }

  addFull(nowMs: number): void {
    this.#isFull = true
    this.#touch(nowMs)
  }

  /** Whether this directory is hinted already. */
  has(directory: string): boolean {
    return this.#isFull || this.#directories.has(directory)
  }

  get isFull(): boolean {
    return this.#isFull
  }

  get isEmpty(): boolean {
    return !this.#isFull && this.#directories.size === 0
  }

  get size(): number {
    return this.#directories.size + (this.#isFull ? 1 : 0)
  }

  /** Milliseconds until `take` is worth it; 0: now. `undefined`: there are none. */
  dueInMs(nowMs: number): number | undefined {
    if (this.#firstMs === undefined) return undefined
    return Math.max(0, Math.min(this.#lastMs + QUIET_MS, this.#firstMs + WAIT_MS) - nowMs)
  }

  take(): HintSet {
    const taken = { isFull: this.#isFull, directories: this.#directories }
    this.#directories = new Map()
    this.#isFull = false
    this.#firstMs = undefined
    return taken
  }

  /** Puts back what could not be done. */
  restore({ isFull, directories }: HintSet, nowMs: number): void {
    if (isFull) this.addFull(nowMs)
    for (const [directory, isDeep] of directories) this.add(directory, isDeep, nowMs)
  }

  #touch(nowMs: number): void {
    this.#firstMs ??= nowMs
    this.#lastMs = nowMs
  }
}
