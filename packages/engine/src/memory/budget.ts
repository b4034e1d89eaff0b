interface Waiting {
  readonly bytes: number
  grant(): void
}

/** Bytes, and a count, that may be in use at once; the rest waits in order. */
export class Budget {
  readonly #waiting = new Set<Waiting>()
  #bytes = 0
  #count = 0

  constructor(
    private readonly bytesMax: number,
    private countMax: number,
  ) {}

  /** Another count from now on; what is in use stays. */
  allow(countMax: number): void {
    this.countMax = countMax
    this.#next()
  }

  /** @returns gives it back, once. More than all is given alone. @throws the signal's reason. */
  async take(bytes: number, signal: AbortSignal | undefined): Promise<() => void> {
    signal?.throwIfAborted()
    if (this.#waiting.size > 0 || !this.#fits(bytes)) await this.#wait(bytes, signal)
    else this.#use(bytes)
    return () => {
      this.#bytes -= bytes
      this.#count -= 1
      this.#next()
    }
  }

  #fits(bytes: number): boolean {
    return this.#count === 0 || (this.#count < this.countMax && this.#bytes + bytes <= this.bytesMax)
  }

  #use(bytes: number): void {
    this.#bytes += bytes
    this.#count += 1
  }

  #wait(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting.delete(waiting)
        this.#next()
        reject(signal?.reason)
      }
      const waiting: Waiting = {
        bytes,
        grant: () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        },
      }
      this.#waiting.add(waiting)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  #next(): void {
    for (const waiting of this.#waiting) {
      if (!this.#fits(waiting.bytes)) return
      this.#waiting.delete(waiting)
      // Counted before its turn comes: nobody else gets it in between.
      this.#use(waiting.bytes)
      waiting.grant()
    }
  }
}
