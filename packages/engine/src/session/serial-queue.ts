/**
 * Runs tasks one at a time in the order they came. The first failure ends the queue: later tasks are
 * dropped, because each relies on those before it.
 */
export class SerialQueue {
  #tail: Promise<void> = Promise.resolve()
  #failed = false
  readonly #onError: (error: Error) => void

  constructor(onError: (error: Error) => void) {
    this.#onError = onError
  }

  push(task: () => Promise<void> | void): void {
    this.#tail = this.#tail.then(async () => {
      if (this.#failed) return
      try {
        await task()
      } catch (error) {
        this.#failed = true
        this.#onError(error instanceof Error ? error : new Error(String(error)))
      }
    })
  }

  /** Resolves when everything pushed so far has run. */
  idle(): Promise<void> {
    return this.#tail
  }
}
