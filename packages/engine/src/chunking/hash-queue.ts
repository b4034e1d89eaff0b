import type { Hasher } from '../ports/hasher.js'

/** Chunks hashed at once. */
const HASHES_MAX = 8
/** Bytes of the chunks hashed at once, together; a larger one goes alone. */
const HASH_BYTES_MAX = 16 * 1024 * 1024
/** Smaller ones are hashed at once on the calling thread. */
const ASYNC_BYTES_MIN = 32 * 1024

/** Hashes a stream of chunks, a few at a time; their bytes are held no longer than that. */
export class HashQueue {
  readonly #running = new Set<Promise<void>>()
  #bytes = 0
  #error: unknown

  constructor(private readonly hasher: Hasher) {}

  /**
   * Waits for room, then begins. @param done Is given the 32 bytes, at once or later.
   * @throws what an earlier hash threw.
   */
  async add(bytes: Uint8Array, done: (digest: Uint8Array) => void): Promise<void> {
    if (bytes.length < ASYNC_BYTES_MIN) {
      done(this.hasher.sha256(bytes))
      return
    }
    while (
      this.#running.size >= HASHES_MAX ||
      (this.#bytes > 0 && this.#bytes + bytes.length > HASH_BYTES_MAX)
    ) {
      await Promise.race(this.#running)
    }
    if (this.#error !== undefined) throw this.#error
    this.#bytes += bytes.length
    const running: Promise<void> = this.hasher
      .sha256Async(bytes)
      .then(done)
      .catch((error: unknown) => {
        this.#error ??= error
      })
      .finally(() => {
        this.#bytes -= bytes.length
        this.#running.delete(running)
      })
    this.#running.add(running)
  }

  /** @throws what a hash threw. */
  async settled(): Promise<void> {
    await Promise.all(this.#running)
    if (this.#error !== undefined) throw this.#error
  }
}
