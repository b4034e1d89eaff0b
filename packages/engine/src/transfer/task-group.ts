/** Work in the background that belongs together: the first failure aborts the rest and is what `done` throws. */
export class TaskGroup {
  readonly #abort = new AbortController()
  readonly #running = new Set<Promise<void>>()
  readonly #outer: AbortSignal | undefined
  readonly #onAbort = (): void => this.#abort.abort(this.#outer?.reason)

  constructor(signal: AbortSignal | undefined) {
    this.#outer = signal
    if (signal?.aborted) this.#onAbort()
    else signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** Aborted by the outer signal, and by the first failure, with its error as the reason. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  spawn(task: () => Promise<void>): void {
    const running: Promise<void> = task()
      .catch((error: unknown) => this.#abort.abort(error))
      .finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  /**
   * Runs `body`, which may spawn, and waits for everything: nothing goes on behind the caller's back.
   * @throws the first failure, or the outer signal's reason.
   */
  async run(body: () => Promise<void>): Promise<void> {
    try {
      this.spawn(body)
      while (this.#running.size > 0) await Promise.all(this.#running)
      this.signal.throwIfAborted()
    } finally {
      this.#outer?.removeEventListener('abort', this.#onAbort)
    }
  }
}
