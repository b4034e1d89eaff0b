import type { Timers } from '../ports/clock.js'
import { Lane } from './lane.js'

/** Bytes per second of bodies; left out: as fast as it goes. */
export interface TransferLimits {
  readonly uploadBytesPerSecond?: number | undefined
  readonly downloadBytesPerSecond?: number | undefined
}

/**
 * Where every body that goes to or comes from the store asks whether it may begin: of all spaces of a replica.
 * It waits while transfers are paused, and for its turn under a limit.
 */
export class Pace {
  readonly up: Lane
  readonly down: Lane
  #isPaused = false

  constructor(private readonly timers: Timers) {
    this.up = new Lane(timers)
    this.down = new Lane(timers)
  }

  monotonicMs(): number {
    return this.timers.monotonicMs()
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  pause(): void {
    this.#isPaused = true
    this.up.pause()
    this.down.pause()
  }

  resume(): void {
    this.#isPaused = false
    this.up.resume()
    this.down.resume()
  }

  /** Precondition: positive numbers. */
  limit({ uploadBytesPerSecond, downloadBytesPerSecond }: TransferLimits): void {
    this.up.limit(uploadBytesPerSecond)
    this.down.limit(downloadBytesPerSecond)
  }

  /** Whoever waits, now or later, gets this error. */
  close(error: Error): void {
    this.up.close(error)
    this.down.close(error)
  }
}
