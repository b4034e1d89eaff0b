import {
  ChunksMissingError,
  GrantExpiredError,
  PeerError,
  SourceChangedError,
  StoreError,
  SyncError,
  TransportError,
} from '@tidemark/protocol'
import type { Timers } from '../ports/clock.js'
import type { Random } from '../ports/random.js'
import { type BackoffBounds, backoffDelayMs } from '../session/backoff.js'
import { sleep } from './sleep.js'

/** While nobody is connected: asking costs nothing, and a new session should be used soon. */
const NO_SESSION: BackoffBounds = { minMs: 50, maxMs: 2_000 }
/** After a failure of the store or the hub. */
const FAILURE: BackoffBounds = { minMs: 200, maxMs: 10_000 }
/** A store or a hub that asks for more patience is asked again then: what it said may be a mistake. */
const RETRY_AFTER_MS_MAX = 60_000
/** Failures in a row, no session not counted: about half a minute of waiting. */
const ATTEMPTS_MAX = 8

export interface RetryParts {
  readonly timers: Timers
  readonly random: Random
  /** Failures in a row after which the last one is thrown. @default 8 */
  readonly attemptsMax?: number
}

/**
 * What a transfer does about an error: the only place that counts attempts and waits.
 *
 * - No session (`TransportError`): waits for one, for as long as the signal lets it.
 * - `GrantExpiredError`: at once the first time; the attempt asks for a new grant.
 * - Whatever else may pass (`retry` is not `never`): jittered exponential backoff, a bounded number of times.
 * - A source that changed, chunks that nobody has, what is no `SyncError`, and `never`: thrown.
 */
export class RetryPolicy {
  constructor(private readonly parts: RetryParts) {}

  begin(): Retries {
    return new Retries(this.parts)
  }

  /** Runs `attempt` until it succeeds. @throws what `Retries.after` throws. */
  async run<T>(signal: AbortSignal | undefined, attempt: () => Promise<T>): Promise<T> {
    const retries = this.begin()
    for (;;) {
      signal?.throwIfAborted()
      try {
        return await attempt()
      } catch (error) {
        await retries.after(error, signal)
      }
    }
  }
}

/** For what somebody else brings about again: every failure is thrown, also that there is no session. */
export const ONE_ATTEMPT: Pick<RetryPolicy, 'run'> = {
  run: async (signal, attempt) => {
    signal?.throwIfAborted()
    return attempt()
  },
}

/** The failures of one piece of work. */
export class Retries {
  #failures = 0
  #noSession = 0

  constructor(private readonly parts: RetryParts) {}

  /** Something succeeded: what fails from now on is counted anew. */
  reset(): void {
    this.#failures = 0
    this.#noSession = 0
  }

  /** Resolves when it is time for another attempt. @throws `error` when there is none; the signal's reason. */
  async after(error: unknown, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    if (!mayPass(error)) throw error
    const { timers, random, attemptsMax = ATTEMPTS_MAX } = this.parts
    if (error instanceof TransportError) {
      await sleep(timers, backoffDelayMs(this.#noSession++, random, NO_SESSION), signal)
      return
    }
    const failures = this.#failures++
    if (failures + 1 >= attemptsMax) throw error
    if (error instanceof GrantExpiredError && failures === 0) return
    const asked = error instanceof PeerError || error instanceof StoreError ? error.retryAfterMs : undefined
    const least = Math.min(asked ?? 0, RETRY_AFTER_MS_MAX)
    await sleep(timers, Math.max(least, backoffDelayMs(failures, random, FAILURE)), signal)
  }
}

/** Whether another attempt may succeed by itself. */
export function mayPass(error: unknown): boolean {
  if (!(error instanceof SyncError) || error.retry === 'never') return false
  return !(error instanceof SourceChangedError || error instanceof ChunksMissingError)
}
