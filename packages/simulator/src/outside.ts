/** An adapter broke its port, or lost what it was asked to do. */
export class AdapterError extends Error {
  override readonly name = 'AdapterError'
}

/** What was asked of the world outside of the simulation and is not done yet: virtual time waits for it. */
export class Outside {
  readonly #underWay = new Map<symbol, string>()
  #wake: () => void = () => undefined
  #error: AdapterError | undefined

  /** @param patienceMs What is not done by then is lost; milliseconds by the real clock. */
  constructor(private readonly patienceMs: number) {}

  /** @returns what says that it is done. */
  begin(what: string): () => void {
    const key = Symbol(what)
    this.#underWay.set(key, what)
    return () => {
      this.#underWay.delete(key)
      if (this.#underWay.size === 0) this.#wake()
    }
  }

  /** @returns the same promise. */
  track<T>(what: string, promise: Promise<T>): Promise<T> {
    const end = this.begin(what)
    promise.then(end, end)
    return promise
  }

  /** Ends the run: an adapter broke its port. */
  fail(error: AdapterError): void {
    this.#error ??= error
    this.#wake()
  }

  /**
   * Resolves when nothing is under way.
   *
   * @returns whether anything was.
   * @throws {AdapterError}
   */
  async rest(): Promise<boolean> {
    if (this.#error) throw this.#error
    if (this.#underWay.size === 0) return false
    let timer: NodeJS.Timeout | undefined
    const isDone = await new Promise<boolean>((resolve) => {
      this.#wake = () => resolve(true)
      timer = setTimeout(() => resolve(false), this.patienceMs)
    })
    clearTimeout(timer)
    if (!isDone) {
      const what = [...this.#underWay.values()].join(', ')
      throw new AdapterError(`not done after ${this.patienceMs} ms: ${what}`)
    }
    if (this.#error) throw this.#error
    return true
  }
}
