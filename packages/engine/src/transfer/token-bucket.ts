/** Bytes that may go now, filled evenly up to a bound. What is larger goes all the same, and is paid off after. */
export class TokenBucket {
  /** Below zero: more went than was there. */
  #tokens: number
  #atMs: number

  #bytesPerSecond: number
  #burstBytes: number

  /** Full at first. @param nowMs Monotonic, as everywhere here. */
  constructor(bytesPerSecond: number, burstBytes: number, nowMs: number) {
    this.#bytesPerSecond = bytesPerSecond
    this.#burstBytes = burstBytes
    this.#tokens = burstBytes
    this.#atMs = nowMs
  }

  /** From now on; what is owed stays owed. */
  change(bytesPerSecond: number, burstBytes: number, nowMs: number): void {
    this.#fill(nowMs)
    this.#bytesPerSecond = bytesPerSecond
    this.#burstBytes = burstBytes
  }

  /** Milliseconds until something may go; 0: now. Whole ones: a timer that is asked for less fires too early. */
  waitMs(nowMs: number): number {
    this.#fill(nowMs)
    return this.#tokens >= 0 ? 0 : Math.ceil((-this.#tokens / this.#bytesPerSecond) * 1000)
  }

  take(bytes: number, nowMs: number): void {
    this.#fill(nowMs)
    this.#tokens -= bytes
  }

  #fill(nowMs: number): void {
    const filled = this.#tokens + (this.#bytesPerSecond * (nowMs - this.#atMs)) / 1000
    this.#tokens = Math.min(this.#burstBytes, filled)
    this.#atMs = nowMs
  }
}
