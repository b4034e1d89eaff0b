import { type Connection, SyncError, type Transport, TransportError } from '@tidemark/protocol'
import type { Timers } from '../ports/clock.js'
import type { Random } from '../ports/random.js'
import { backoffDelayMs, DIAL_BACKOFF } from './backoff.js'
import type { PeerInfo, Session } from './session.js'

/**
 * A link keeps one session to one fixed peer alive:
 *
 *   dialing ──▶ handshaking ──▶ open ──▶ backoff ──▶ dialing …      any ──▶ closed
 *
 * Each state carries only its own fields.
 */
export type LinkPhase =
  | { readonly name: 'dialing'; readonly attempt: number }
  | { readonly name: 'handshaking'; readonly attempt: number; readonly session: Session }
  | { readonly name: 'open'; readonly session: Session; readonly peer: PeerInfo }
  | { readonly name: 'backoff'; readonly attempt: number; readonly delayMs: number; readonly error: Error }
  | { readonly name: 'closed' }

export interface LinkOptions {
  readonly transport: Transport
  readonly timers: Timers
  readonly random: Random
  /** Makes the session of a fresh connection. */
  startSession(connection: Connection): Session
  onPhase(phase: LinkPhase): void
}

/** A session that lived this long was no failed attempt, whatever it ended with. */
const LASTING_MS = 10_000

/** Dials, and dials again with jittered backoff: the one place that counts attempts. */
export class Link {
  readonly #options: LinkOptions
  readonly #abort = new AbortController()
  readonly #done: Promise<void>
  #phase: LinkPhase = { name: 'dialing', attempt: 0 }

  constructor(options: LinkOptions) {
    this.#options = options
    this.#done = this.#run()
  }

  get phase(): LinkPhase {
    return this.#phase
  }

  get transport(): Transport {
    return this.#options.transport
  }

  /** Idempotent; resolves when nothing of the link runs any more. */
  async close(): Promise<void> {
    if (!this.#abort.signal.aborted) {
      this.#abort.abort(new TransportError('the link was closed'))
      if (this.#phase.name === 'open' || this.#phase.name === 'handshaking') this.#phase.session.close()
    }
    await this.#done
  }

  async #run(): Promise<void> {
    const { transport, timers, random, startSession } = this.#options
    const { signal } = this.#abort
    let attempt = 0
    while (!signal.aborted) {
      let error: Error | undefined
      try {
        this.#enter({ name: 'dialing', attempt })
        const connection = await transport.connect({ signal })
        const session = startSession(connection)
        this.#enter({ name: 'handshaking', attempt, session })
        if (signal.aborted) session.close()
        const peer = await session.ready
        const openedMs = timers.monotonicMs()
        this.#enter({ name: 'open', session, peer })
        error = await session.done
        // A peer that lets us in only to say that it, or its store, fails is not asked ten times a second, nor one
        // whose answers our own database cannot take.
        const hasLasted = timers.monotonicMs() - openedMs >= LASTING_MS
        const wasCut = error === undefined || error instanceof TransportError
        if (hasLasted || wasCut) attempt = 0
      } catch (caught) {
        error = caught as Error
      }
      if (signal.aborted) break
      error ??= new TransportError('the session ended')
      // A refusal may be lifted (a token renewed, a hub upgraded), but not within milliseconds.
      const refused = error instanceof SyncError && error.retry === 'never'
      const delayMs = refused ? DIAL_BACKOFF.maxMs : backoffDelayMs(attempt, random)
      this.#enter({ name: 'backoff', attempt, delayMs, error })
      attempt += 1
      await sleep(timers, delayMs, signal)
    }
    this.#enter({ name: 'closed' })
  }

  #enter(phase: LinkPhase): void {
    this.#phase = phase
    this.#options.onPhase(phase)
  }
}

/** Resolves after the delay or when the signal aborts, whichever is first. */
function sleep(timers: Timers, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    // As a session does: whoever waits for a write or a read must not end because the hub is away.
    const cancel = timers.after(delayMs, finish, { keepsAlive: true })
    function finish() {
      cancel()
      signal.removeEventListener('abort', finish)
      resolve()
    }
    signal.addEventListener('abort', finish, { once: true })
  })
}
