/** Calls that end by a signal of their own, or all together. */
export class OpenCalls {
  readonly #open = new Set<AbortController>()
  #reason: Error | undefined

  /** @param signal Of who calls; `undefined`: none. */
  async run<T>(signal: AbortSignal | undefined, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { ends, release } = this.#enter(signal)
    try {
      return await call(ends.signal)
    } finally {
      release()
    }
  }

  /** The same for what comes bit by bit; it is over when nobody takes more. */
  async *each<T>(
    signal: AbortSignal | undefined,
    call: (signal: AbortSignal) => AsyncIterable<T>,
  ): AsyncGenerator<T> {
    const { ends, release } = this.#enter(signal)
    try {
      yield* call(ends.signal)
    } finally {
      release()
    }
  }

  /** Ends all, and whatever comes. */
  end(reason: Error): void {
    this.#reason ??= reason
    for (const ends of this.#open) ends.abort(reason)
  }

  /** Not `AbortSignal.any`: in Node a signal of that, once somebody waits for it, is kept by the process itself. */
  #enter(signal: AbortSignal | undefined): { readonly ends: AbortController; readonly release: () => void } {
    const ends = new AbortController()
    const abort = (): void => ends.abort(signal?.reason)
    if (this.#reason) ends.abort(this.#reason)
    else if (signal?.aborted) abort()
    signal?.addEventListener('abort', abort, { once: true })
    this.#open.add(ends)
    const release = (): void => {
      this.#open.delete(ends)
      signal?.removeEventListener('abort', abort)
    }
    return { ends, release }
  }
}
