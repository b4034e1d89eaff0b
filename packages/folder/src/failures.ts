import { TransportError } from '@tidemark/protocol'

/** Turns that fail for this long, two at least, fail for a reason that does not pass by itself. */
const LASTING_MS = 8_000
const DELAY_MS_MIN = 250
const DELAY_MS_MAX = 60_000

/** What the turns of a loop ended with, since the last one that succeeded. Times are monotonic milliseconds. */
export class Failures {
  #error: Error | undefined
  #count = 0
  /** When the first of them began. */
  #sinceMs = 0

  /** A turn begins. */
  began(nowMs: number): void {
    if (this.#count === 0) this.#sinceMs = nowMs
  }

  succeeded(): void {
    this.#error = undefined
    this.#count = 0
  }

  failed(error: Error): void {
    this.#error = error
    this.#count++
  }

  /** Of the last turn. */
  get error(): Error | undefined {
    return this.#error
  }

  /** What they all ended with, if it lasts; a broken connection is no failure of this folder. */
  lasting(nowMs: number): Error | undefined {
    const isLasting = this.#count >= 2 && nowMs - this.#sinceMs >= LASTING_MS
    return isLasting && !(this.#error instanceof TransportError) ? this.#error : undefined
  }

  /** Until the next attempt. */
  get delayMs(): number {
    return Math.min(DELAY_MS_MAX, DELAY_MS_MIN * 2 ** Math.min(this.#count, 8))
  }
}
