/** At most `count` holders at once, the others wait in order; more waiters than `waitingMax` are refused. */
export class Slots {
  #free: number
  readonly #waiting: { grant(): void }[] = []

  constructor(
    count: number,
    private readonly waitingMax: number,
  ) {
    this.#free = count
  }

  /**
   * Resolves to a function that gives the slot back (idempotent), or to `undefined` when too many wait.
   * @throws the signal's reason when it is aborted first.
   */
  async take(signal?: AbortSignal): Promise<(() => void) | undefined> {
    signal?.throwIfAborted()
    if (this.#free > 0) {
      this.#free--
    } else {
      if (this.#waiting.length >= this.waitingMax) return undefined
      await new Promise<void>((resolve, reject) => {
        const waiter = {
          grant: () => {
            signal?.removeEventListener('abort', abort)
            resolve()
          },
        }
        const abort = () => {
          this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
          reject(signal!.reason)
        }
        signal?.addEventListener('abort', abort, { once: true })
        this.#waiting.push(waiter)
      })
    }
    let held = true
    return () => {
      if (!held) return
      held = false
      const next = this.#waiting.shift()
      if (next) next.grant()
      else this.#free++
    }
  }
}
