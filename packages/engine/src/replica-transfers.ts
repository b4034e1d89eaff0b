import { BehaviorSubject, type Observable } from 'rxjs'
import type { Pace, TransferLimits } from './transfer/pace.js'

/** How transfers are held back; `undefined`: not. */
export interface TransferState {
  readonly paused: boolean
  readonly uploadBytesPerSecond: number | undefined
  readonly downloadBytesPerSecond: number | undefined
}

/**
 * Control over the bytes of files of all spaces of a replica; metadata always flows. Nothing of it is kept: a
 * replica opens unpaused.
 */
export class Transfers {
  readonly #pace: Pace
  readonly #state: BehaviorSubject<TransferState>

  /** Precondition: `mustLimits`. */
  constructor(pace: Pace, limits: TransferLimits = {}) {
    this.#pace = pace
    pace.limit(limits)
    this.#state = new BehaviorSubject<TransferState>({ paused: false, ...both(limits) })
  }

  /** Emits the state at once, and every change of it. */
  get state$(): Observable<TransferState> {
    return this.#state.asObservable()
  }

  /**
   * No body begins until `resume`; those on their way, at most TRANSFER_BYTES_IN_FLIGHT_MAX bytes a space and
   * direction, go on to their end: cut, they would have to be sent again. Nothing fails: what waits goes on
   * after it. Idempotent.
   */
  pause(): void {
    if (this.#state.value.paused) return
    this.#pace.pause()
    this.#state.next({ ...this.#state.value, paused: true })
  }

  /** Idempotent. */
  resume(): void {
    if (!this.#state.value.paused) return
    this.#pace.resume()
    this.#state.next({ ...this.#state.value, paused: false })
  }

  /**
   * Limits the mean of all bodies to, and from, the store. What is left out, or `undefined`, is lifted.
   *
   * @throws {RangeError} no positive number: nothing is changed.
   */
  limit(limits: TransferLimits): void {
    mustLimits(limits)
    this.#pace.limit(limits)
    this.#state.next({ paused: this.#state.value.paused, ...both(limits) })
  }

  /** Used by `Replica.close`. */
  close(): void {
    this.#state.complete()
  }
}

/** @throws {RangeError} a limit is no positive number. */
export function mustLimits(limits: TransferLimits): void {
  for (const [name, value] of Object.entries(both(limits))) {
    if (value === undefined || (Number.isFinite(value) && value > 0)) continue
    throw new RangeError(`${name} ${value}: expected a positive number`)
  }
}

const both = ({
  uploadBytesPerSecond,
  downloadBytesPerSecond,
}: TransferLimits): Pick<TransferState, 'uploadBytesPerSecond' | 'downloadBytesPerSecond'> => ({
  uploadBytesPerSecond,
  downloadBytesPerSecond,
})
