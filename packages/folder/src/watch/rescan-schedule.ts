/** With watches: what they missed is found within this time. */
export const RESCAN_MS = 60 * 60_000
/** Where the system gives no more watches. */
export const POLL_MS = 60_000
/** The wall clock ran on by this much while the timers stood still: the machine slept. */
const SLEPT_MS = 10_000

/** When everything must be scanned although no hint says so. */
export class RescanSchedule {
  #scannedMs: number
  #wallMinusMonotonicMs: number | undefined
  #everyMs: number | undefined

  /** @param everyMs `undefined`: only when asked. */
  constructor(everyMs: number | undefined, nowMs: number) {
    this.#everyMs = everyMs
    this.#scannedMs = nowMs
  }

  set everyMs(everyMs: number) {
    this.#everyMs = everyMs
  }

  scanned(nowMs: number): void {
    this.#scannedMs = nowMs
  }

  /** @param wallMs Wall clock. @param nowMs Monotonic. */
  isDue(wallMs: number, nowMs: number): boolean {
    if (this.#everyMs === undefined) return false
    const difference = wallMs - nowMs
    const hasSlept = difference - (this.#wallMinusMonotonicMs ?? difference) > SLEPT_MS
    this.#wallMinusMonotonicMs = difference
    return hasSlept || nowMs - this.#scannedMs >= this.#everyMs
  }

  dueInMs(nowMs: number): number | undefined {
    return this.#everyMs === undefined ? undefined : Math.max(0, this.#scannedMs + this.#everyMs - nowMs)
  }
}
