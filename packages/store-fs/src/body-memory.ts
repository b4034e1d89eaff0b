/** Buffers come in multiples of this, so that bodies of about one size share them. */
const STEP_BYTES = 1024 * 1024

/**
 * Memory for whole bodies, within a bound: taking never waits, it succeeds or does not. Buffers are used
 * again while some are lent: the system need not clear new pages for each body.
 */
export class BodyMemory {
  readonly #free: Buffer[] = []
  #lentBytes = 0

  constructor(private readonly bytesMax: number) {}

  /** At least `length` bytes, or `undefined`. What was in it last may still be there. */
  tryTake(length: number): Buffer | undefined {
    const size = Math.ceil(length / STEP_BYTES) * STEP_BYTES
    if (this.#lentBytes + size > this.bytesMax) return undefined
    this.#lentBytes += size
    const at = this.#free.findIndex((buffer) => buffer.length === size)
    // One that does not fit makes way: what is free never adds to the bound.
    const [buffer] = this.#free.splice(Math.max(at, 0), 1)
    return buffer?.length === size ? buffer : Buffer.allocUnsafeSlow(size)
  }

  /** Precondition: it came from `tryTake`, and nobody reads or writes it any more. */
  give(buffer: Buffer): void {
    this.#lentBytes -= buffer.length
    if (this.#lentBytes === 0) this.#free.length = 0
    else this.#free.push(buffer)
  }
}
