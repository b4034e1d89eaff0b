/** Less than this is mostly what it takes to begin, milliseconds. */
const KNOWN_MS_MIN = 50
/** What was measured counts half as much after so long, milliseconds: links and machines change. */
const HALF_LIFE_MS = 8_000

/** Bytes over time, of all that goes on at once; pauses do not count. */
export class RateMeter {
  #running = 0
  #seenMs = 0
  #busyMs = 0
  #bytes = 0

  /** @param nowMs Monotonic. */
  constructor(private readonly nowMs: () => number) {}

  /** `undefined`: too little is known. What goes on counts with its time, and with its bytes when it is done. */
  get bytesPerSecond(): number | undefined {
    this.#pass()
    if (this.#bytes === 0 || this.#busyMs < KNOWN_MS_MIN) return undefined
    return (this.#bytes * 1000) / this.#busyMs
  }

  /** What fails took its time for nothing. */
  async measure<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    this.#pass()
    this.#running += 1
    try {
      const result = await work()
      this.#bytes += bytes
      return result
    } finally {
      this.#pass()
      this.#running -= 1
    }
  }

  #pass(): void {
    const nowMs = this.nowMs()
    const passedMs = nowMs - this.#seenMs
    this.#seenMs = nowMs
    const kept = 0.5 ** (passedMs / HALF_LIFE_MS)
    this.#bytes *= kept
    this.#busyMs *= kept
    if (this.#running > 0) this.#busyMs += passedMs
  }
}
