interface Waiting<T> {
  readonly item: T
  resolve(): void
  reject(error: unknown): void
}

/**
 * Calls that wait for the same disk: those that come while others are carried out are carried out after them,
 * together, in the order of the calls.
 */
export class GroupedCalls<T> {
  #waiting: Waiting<T>[] = []
  #running: Promise<void> | undefined

  /** @param run Where it fails, each of the items has failed. */
  constructor(private readonly run: (items: readonly T[]) => Promise<void>) {}

  add(item: T): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject })
      this.#running ??= this.#runAll()
    })
  }

  /** Resolves when none is waiting. */
  async idle(): Promise<void> {
    await this.#running
  }

  async #runAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const taken = this.#waiting
      this.#waiting = []
      try {
        await this.run(taken.map(({ item }) => item))
        for (const { resolve } of taken) resolve()
      } catch (error) {
        for (const { reject } of taken) reject(error)
      }
    }
    this.#running = undefined
  }
}
