/** Slower uploads are given up: how far one is, is known at most as far as the next buffer. */
export const UPLOAD_BYTES_PER_MS_MIN = 16

/** How long these bytes, which lie in buffers or are to be sent, may take to be there, milliseconds. */
export const uploadTimeoutMs = (idleTimeoutMs: number, bytes: number): number =>
  idleTimeoutMs + bytes / UPLOAD_BYTES_PER_MS_MIN

/** A signal that follows another one, and ends by itself where nothing happens for too long. */
export class Deadline {
  readonly #abort = new AbortController()
  readonly signal: AbortSignal
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(ends?: AbortSignal) {
    this.signal = ends ? AbortSignal.any([ends, this.#abort.signal]) : this.#abort.signal
  }

  /** It ends this much later than now, unless it is told otherwise before. After its end nothing happens. */
  reset(timeoutMs: number): void {
    if (this.signal.aborted) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#abort.abort(new Error(`silent for ${timeoutMs} ms`)), timeoutMs)
  }

  /** What is left of the answer is not read. */
  end(): void {
    clearTimeout(this.#timer)
    this.#abort.abort()
  }
}
