import type { KeyValueStore, Timers } from '@tidemark/engine'

const KEY = 'uptime'
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** A clock that counts. */
export type Counted = Pick<Uptime, 'nowMs'>

/**
 * How long the hub has run, over all its starts: clocks that jump do not count, nor does the time while it was off.
 * A crash takes back what passed since the last `save`, never more than passed.
 */
export class Uptime {
  readonly #startedMs: number
  #savedMs: number

  private constructor(
    private readonly storage: KeyValueStore,
    private readonly timers: Pick<Timers, 'monotonicMs'>,
    private readonly beforeMs: number,
  ) {
    this.#startedMs = timers.monotonicMs()
    this.#savedMs = beforeMs
  }

  static async load(storage: KeyValueStore, timers: Pick<Timers, 'monotonicMs'>): Promise<Uptime> {
    const row = await storage.get(KEY)
    return new Uptime(storage, timers, row ? Number(decoder.decode(row)) : 0)
  }

  /** Whole milliseconds; never goes back while the hub runs. */
  nowMs(): number {
    const passedMs = Math.floor(this.timers.monotonicMs() - this.#startedMs)
    return Math.max(this.#savedMs, this.beforeMs + passedMs)
  }

  /**
   * Keeps the time, with the batches that follow. @returns it: later than what any `save` has returned whose
   * time was found again at a start.
   */
  async save(): Promise<number> {
    const atMs = Math.max(this.nowMs(), this.#savedMs + 1)
    this.#savedMs = atMs
    await this.storage.batch([{ type: 'put', key: KEY, value: encoder.encode(String(atMs)) }], {
      sync: false,
    })
    return atMs
  }
}
