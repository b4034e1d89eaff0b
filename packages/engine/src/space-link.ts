import { AccessError, type SpaceName } from '@tidemark/protocol'
import { BehaviorSubject, type Observable } from 'rxjs'
import type { LinkState } from './binding.js'

/** How a space stands with its hub, for those who look, and for those who wait. */
export class SpaceLink {
  readonly #state: BehaviorSubject<LinkState>

  /** @param read How it stands now. */
  constructor(
    private readonly space: SpaceName,
    private readonly read: () => LinkState,
  ) {
    this.#state = new BehaviorSubject(read())
  }

  get value(): LinkState {
    return this.#state.value
  }

  get state$(): Observable<LinkState> {
    return this.#state.asObservable()
  }

  /** Something may stand otherwise. @returns whether the hub takes what is written here, and did not before. */
  publish(): boolean {
    const next = this.read()
    const last = this.#state.value
    const isSame =
      next.configured === last.configured &&
      next.connected === last.connected &&
      next.everSynced === last.everSynced &&
      next.equal === last.equal &&
      next.readOnly === last.readOnly &&
      next.unsent === last.unsent &&
      next.uploading === last.uploading &&
      next.error?.message === last.error?.message
    if (!isSame) this.#state.next(next)
    return isTaking(next) && !isTaking(last)
  }

  /** Resolves when both ends hold the same. @throws {AccessError} FORBIDDEN; the signal's reason. */
  equal(signal: AbortSignal): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const finish = (): void => {
        subscription.unsubscribe()
        signal.removeEventListener('abort', abort)
      }
      const abort = (): void => {
        finish()
        reject(signal.reason)
      }
      const subscription = this.#state.subscribe(({ equal, unsent }) => {
        if (!equal) return
        // The first value comes while `subscribe` runs.
        queueMicrotask(finish)
        if (unsent) reject(new AccessError('FORBIDDEN', `this device may only read ${this.space}`))
        else resolve()
      })
      signal.addEventListener('abort', abort, { once: true })
      if (signal.aborted) queueMicrotask(abort)
    })
  }

  close(): void {
    this.#state.complete()
  }
}

const isTaking = ({ connected, readOnly }: LinkState): boolean => connected && !readOnly
