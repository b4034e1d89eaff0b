import type { KeyValueStore, Timers } from '@tidemark/engine'
import type { SpaceName } from '@tidemark/protocol'
import type { Logger } from '../logger.js'
import type { Uptime } from '../uptime.js'
import type { SweepResult } from './space-sweep.js'
import type { StoreClaim } from './store-claim.js'

/** The uptime is kept at least so often: a hub that is restarted each night gets to its pass too. */
const TICK_MS_MAX = 3_600_000
const LAST = 'sweep-last'
const encoder = new TextEncoder()
const decoder = new TextDecoder()

export interface SweeperParts {
  readonly storage: KeyValueStore
  readonly uptime: Uptime
  readonly timers: Timers
  /** From the end of a pass to the next one, milliseconds in which the hub runs. */
  readonly everyMs: number
  /** Started and closed with it. */
  readonly claim: Pick<StoreClaim, 'start' | 'close' | 'others'>
  readonly logger: Logger
  spaces(): AsyncIterable<SpaceName>
  sweep(space: SpaceName, signal: AbortSignal): Promise<SweepResult | undefined>
}

/** Sweeps one space after the other, once in a while, and nothing else does. */
export class Sweeper {
  readonly #parts: SweeperParts
  readonly #ending = new AbortController()
  readonly #condemnedBytes = new Map<SpaceName, number>()
  #lastMs = 0
  #cancel: (() => void) | undefined
  #running: Promise<void> = Promise.resolve()
  /** Since the start. */
  deletedBlobs = 0
  deletedBytes = 0

  constructor(parts: SweeperParts) {
    this.#parts = parts
  }

  /** Of each space as its last whole pass found it. */
  get condemnedBytes(): number {
    return [...this.#condemnedBytes.values()].reduce((sum, bytes) => sum + bytes, 0)
  }

  get otherHubs(): number {
    return this.#parts.claim.others
  }

  async start(): Promise<void> {
    const row = await this.#parts.storage.get(LAST)
    this.#lastMs = row ? Number(decoder.decode(row)) : 0
    this.#parts.claim.start()
    this.#schedule()
  }

  /** Ends a pass that runs, wherever it is. Idempotent. */
  async close(): Promise<void> {
    this.#ending.abort()
    this.#cancel?.()
    await this.#running
    await this.#parts.claim.close()
  }

  #schedule(): void {
    if (this.#ending.signal.aborted) return
    const { timers, everyMs, logger } = this.#parts
    this.#cancel = timers.after(Math.min(everyMs, TICK_MS_MAX), () => {
      this.#running = this.#tick()
        .catch((error: unknown) => logger.error('sweep-failed', { error }))
        .finally(() => this.#schedule())
    })
  }

  async #tick(): Promise<void> {
    const { uptime, everyMs, storage } = this.#parts
    const nowMs = await uptime.save()
    // A database that went back has an uptime that did.
    if (nowMs - this.#lastMs < everyMs && nowMs >= this.#lastMs) return
    await this.#pass()
    if (this.#ending.signal.aborted) return
    this.#lastMs = uptime.nowMs()
    await storage.batch([{ type: 'put', key: LAST, value: encoder.encode(String(this.#lastMs)) }], {
      sync: false,
    })
  }

  async #pass(): Promise<void> {
    const { logger, spaces, sweep } = this.#parts
    const { signal } = this.#ending
    for await (const space of spaces()) {
      if (signal.aborted) return
      try {
        const result = await sweep(space, signal)
        if (!result) continue
        this.#condemnedBytes.set(space, result.condemnedBytes)
        this.deletedBlobs += result.deletedBlobs
        this.deletedBytes += result.deletedBytes
      } catch (error) {
        if (signal.aborted) return
        // One that cannot be swept does not stop the others.
        logger.error('sweep-failed', { space, error })
      }
    }
  }
}
