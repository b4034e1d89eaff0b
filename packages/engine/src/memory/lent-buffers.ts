import type { Budget } from './budget.js'
import { BufferPool } from './buffer-pool.js'

/** Buffers out of a budget, which others may share: whoever wants one waits until it fits. */
export class LentBuffers {
  readonly #pool = new BufferPool()
  readonly #releases = new Map<Uint8Array, () => void>()

  constructor(private readonly budget: Budget) {}

  /** Of exactly `length` bytes; what was in it last may still be there. @throws the signal's reason. */
  async take(length: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const release = await this.budget.take(length, signal)
    const buffer = this.#pool.take(length)
    this.#releases.set(buffer, release)
    return buffer
  }

  /** Precondition: nobody reads or writes it any more. */
  give(buffer: Uint8Array): void {
    const release = this.#releases.get(buffer)
    if (!release) throw new TypeError('this buffer is not lent')
    this.#releases.delete(buffer)
    this.#pool.give(buffer)
    release()
  }
}
