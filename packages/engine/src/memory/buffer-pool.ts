/**
 * Large buffers that are used again: the system need not clear new pages for each, nor the collector find
 * the old ones. What is free is kept only while something is lent.
 */
export class BufferPool {
  readonly #free: Uint8Array[] = []
  #lent = 0

  /** Of exactly `length` bytes; what was in it last may still be there. */
  take(length: number): Uint8Array {
    this.#lent++
    const at = this.#free.findIndex((buffer) => buffer.length === length)
    // One that does not fit makes way: there are never more than were lent at once.
    const [buffer] = this.#free.splice(Math.max(at, 0), 1)
    return buffer?.length === length ? buffer : new Uint8Array(length)
  }

  /** Precondition: it came from `take`, and nobody reads or writes it any more. */
  give(buffer: Uint8Array): void {
    this.#lent--
    if (this.#lent === 0) this.#free.length = 0
    else this.#free.push(buffer)
  }
}
