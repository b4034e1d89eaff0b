import type { Timers } from '../ports/clock.js'
import { TokenBucket } from './token-bucket.js'

/** Larger bodies are bulk. */
export const SMALL_BODY_BYTES_MAX = 1024 * 1024
/** What was not used is kept for this long: a body need not come at the very moment when it may. */
const BURST_MS = 250
/** While bulk waits, small bodies get so much of the limit: bulk gets the rest, however many they are. */
const SMALL_SHARE = 3 / 4
/** Timers take no longer times than 24 days, and a limit may be tiny. */
const WAIT_MS_MAX = 3_600_000

export interface Turn {
  /** Monotonic: how long it waits for its turn. @default for ever */
  readonly untilMs?: number
  /** What it brings, where that is more: a large body that was compressed overtakes nobody. */
  readonly plainBytes?: number
}

interface Waiting {
  readonly bytes: number
  go(): void
  fail(error: Error): void
}

interface Buckets {
  /** What all bodies take; bulk waits for it. */
  readonly all: TokenBucket
  /** What small ones take besides, and wait for: they do not wait until bulk has paid what it took. */
  readonly small: TokenBucket
}

/** One direction of the traffic with the store: who may begin a body, and when. */
export class Lane {
  readonly #small = new Set<Waiting>()
  readonly #bulk = new Set<Waiting>()
  #buckets: Buckets | undefined
  #isPaused = false
  #closed: Error | undefined
  #cancelTimer: () => void = () => undefined

  constructor(private readonly timers: Timers) {}

  /**
   * Resolves when a body of so many bytes may begin: it is taken to have gone then. In order, but for small
   * ones, which overtake bulk.
   *
   * @returns false: its turn did not come, and nothing was taken.
   * @throws the signal's reason, at once; what the lane was closed with.
   */
  async take(
    bytes: number,
    signal: AbortSignal | undefined,
    { untilMs, plainBytes = 0 }: Turn = {},
  ): Promise<boolean> {
    signal?.throwIfAborted()
    if (this.#closed) throw this.#closed
    if (!this.#isPaused && !this.#buckets) return true
    const queue = Math.max(bytes, plainBytes) <= SMALL_BODY_BYTES_MAX ? this.#small : this.#bulk
    return new Promise<boolean>((resolve, reject) => {
      let cancelTimer: () => void = () => undefined
      const leave = (): void => {
        cancelTimer()
        queue.delete(waiting)
        signal?.removeEventListener('abort', onAbort)
      }
      const onAbort = (): void => {
        leave()
        this.#serve()
        reject(signal?.reason)
      }
      const waiting: Waiting = {
        bytes,
        go: () => {
          leave()
          resolve(true)
        },
        fail: (error) => {
          leave()
          reject(error)
        },
      }
      if (untilMs !== undefined) {
        cancelTimer = this.timers.after(Math.max(0, untilMs - this.timers.monotonicMs()), () => {
          leave()
          this.#serve()
          resolve(false)
        })
      }
      queue.add(waiting)
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#serve()
    })
  }

  get isLimited(): boolean {
    return this.#buckets !== undefined
  }

  /** Something went that did not ask: what waits makes up for it. */
  count(bytes: number): void {
    this.#buckets?.all.take(bytes, this.timers.monotonicMs())
  }

  pause(): void {
    this.#isPaused = true
    this.#cancelTimer()
  }

  resume(): void {
    this.#isPaused = false
    this.#serve()
  }

  /** @param bytesPerSecond Positive; `undefined`: none. What is owed stays owed under another limit. */
  limit(bytesPerSecond: number | undefined): void {
    if (bytesPerSecond === undefined) this.#buckets = undefined
    else {
      const burstBytes = (bytesPerSecond * BURST_MS) / 1000
      const nowMs = this.timers.monotonicMs()
      this.#buckets ??= {
        all: new TokenBucket(bytesPerSecond, burstBytes, nowMs),
        small: new TokenBucket(bytesPerSecond, burstBytes, nowMs),
      }
      this.#buckets.all.change(bytesPerSecond, burstBytes, nowMs)
      this.#buckets.small.change(bytesPerSecond, burstBytes, nowMs)
    }
    this.#serve()
  }

  /** Whoever waits, now or later, gets this error. */
  close(error: Error): void {
    this.#closed = error
    this.#cancelTimer()
    for (const waiting of [...this.#small, ...this.#bulk]) waiting.fail(error)
  }

  #serve(): void {
    this.#cancelTimer()
    if (this.#isPaused) return
    const smallMs = this.#serveSmall()
    const bulkMs = this.#serveBulk()
    const waitMs = Math.min(smallMs, bulkMs)
    if (!Number.isFinite(waitMs)) return
    this.#cancelTimer = this.timers.after(Math.min(waitMs, WAIT_MS_MAX), () => this.#serve())
  }

  /** @returns milliseconds until it is the next one's turn; infinite: nobody waits. */
  #serveSmall(): number {
    const nowMs = this.timers.monotonicMs()
    for (const waiting of this.#small) {
      const waitMs = this.#buckets?.small.waitMs(nowMs) ?? 0
      if (waitMs > 0) return waitMs
      const share = this.#bulk.size > 0 ? SMALL_SHARE : 1
      this.#buckets?.small.take(waiting.bytes / share, nowMs)
      this.#buckets?.all.take(waiting.bytes, nowMs)
      waiting.go()
    }
    return Number.POSITIVE_INFINITY
  }

  #serveBulk(): number {
    const nowMs = this.timers.monotonicMs()
    for (const waiting of this.#bulk) {
      const waitMs = this.#buckets?.all.waitMs(nowMs) ?? 0
      if (waitMs > 0) return waitMs
      this.#buckets?.all.take(waiting.bytes, nowMs)
      waiting.go()
    }
    return Number.POSITIVE_INFINITY
  }
}
