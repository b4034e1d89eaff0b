import type { Timers } from '@tidemark/engine'
import type { BlobAudit } from './grants/hub-blobs.js'

/** What failed is tried again after this, doubled with each failure up to MAX. */
const RETRY_MS_MIN = 10_000
const RETRY_MS_MAX = 3_600_000

export interface LossAuditParts {
  readonly audit: Pick<BlobAudit, 'dropLost' | 'due' | 'done' | 'onLost'>
  readonly timers: Timers
  /** Looks through everything that is shown, and asks for what is lacking; ends early, without an error, at the end. */
  readonly scan: () => Promise<void>
  readonly onFailed: (error: unknown) => void
}

/** Finds out what lost blobs were needed for: at the start, after each loss, and again after a failure. */
export class LossAudit {
  readonly #parts: LossAuditParts
  #losses = 0
  #isCompared = false
  #isRunning = false
  #running: Promise<void> = Promise.resolve()
  #retryMs = RETRY_MS_MIN
  #cancelRetry: (() => void) | undefined
  #isClosed = false

  constructor(parts: LossAuditParts) {
    this.#parts = parts
    parts.audit.onLost(() => {
      this.#losses += 1
      this.#start()
    })
    this.#start()
  }

  /** Ends what runs in the background. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancelRetry?.()
    await this.#running
  }

  #start(): void {
    if (this.#isRunning || this.#isClosed) return
    this.#isRunning = true
    this.#cancelRetry?.()
    this.#running = this.#run()
  }

  async #run(): Promise<void> {
    let losses: number
    let isDone: boolean
    do {
      losses = this.#losses
      const isCompared = await this.#tried(() => this.#compare())
      // What is known of losses does not wait for what is not.
      isDone = (await this.#tried(() => this.#audit())) && isCompared
    } while (losses !== this.#losses && isDone && !this.#isClosed)
    this.#isRunning = false
    if (isDone) this.#retryMs = RETRY_MS_MIN
    else this.#retryLater()
  }

  async #compare(): Promise<void> {
    if (this.#isCompared) return
    await this.#parts.audit.dropLost()
    this.#isCompared = true
  }

  async #audit(): Promise<void> {
    const { audit, scan } = this.#parts
    for (;;) {
      const losses = await audit.due()
      if (losses === undefined || this.#isClosed) return
      await scan()
      if (!this.#isClosed) await audit.done(losses)
    }
  }

  #retryLater(): void {
    if (this.#isClosed) return
    this.#cancelRetry = this.#parts.timers.after(this.#retryMs, () => this.#start())
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MS_MAX)
  }

  /** @returns whether it did not fail. */
  async #tried(work: () => Promise<void>): Promise<boolean> {
    try {
      await work()
      return true
    } catch (error) {
      this.#parts.onFailed(error)
      return false
    }
  }
}
