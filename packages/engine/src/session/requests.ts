import { type Message, SyncError, TransportError } from '@tidemark/protocol'

type Reply = Extract<Message, { type: 'needed' | 'grants' | 'stored-result' | 'located' }>

interface Waiting {
  readonly expects: Reply['type']
  resolve(reply: Reply): void
  reject(error: Error): void
}

/** Requests that await an answer on one session, by number. Answers come in any order. */
export class PendingRequests {
  readonly #waiting = new Map<number, Waiting>()
  #next = 1
  #closed: Error | undefined

  get count(): number {
    return this.#waiting.size
  }

  /**
   * @param send Is given the request number.
   * @throws {PeerError} the peer answered with a fault; {TransportError} the session ended; or the
   *   signal's reason.
   */
  async request<T extends Reply['type']>(
    expects: T,
    send: (request: number) => void,
    signal?: AbortSignal,
  ): Promise<Extract<Reply, { type: T }>> {
    signal?.throwIfAborted()
    if (this.#closed) throw this.#closed
    const number = this.#next++
    let onAbort: (() => void) | undefined
    try {
      const reply = await new Promise<Reply>((resolve, reject) => {
        onAbort = () => reject(signal?.reason)
        signal?.addEventListener('abort', onAbort, { once: true })
        this.#waiting.set(number, { expects, resolve, reject })
        send(number)
      })
      return reply as Extract<Reply, { type: T }>
    } finally {
      if (onAbort) signal?.removeEventListener('abort', onAbort)
      this.#waiting.delete(number)
    }
  }

  /** @returns whether the answer was of the expected type; a late answer to nobody is fine. */
  answer(reply: Reply): boolean {
    const waiting = this.#waiting.get(reply.request)
    if (!waiting) return true
    if (waiting.expects !== reply.type) return false
    waiting.resolve(reply)
    return true
  }

  fail(request: number, error: Error): void {
    this.#waiting.get(request)?.reject(error)
  }

  /** Rejects everything that waits, now and later. */
  close(error?: Error): void {
    this.#closed =
      error instanceof SyncError
        ? error
        : new TransportError('the session ended', error ? { cause: error } : {})
    for (const waiting of this.#waiting.values()) waiting.reject(this.#closed)
  }
}
