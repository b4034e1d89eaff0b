import type { IncomingMessage } from 'node:http'
import { BlobMismatchError } from '@tidemark/protocol'

/** The sender of a body went away or fell silent: there is nobody to answer. */
export class DisconnectedError extends Error {
  override readonly name = 'DisconnectedError'
}

export interface ExpectedBody {
  /** Of the blob, for errors. */
  readonly id: string
  /** Bytes. */
  readonly length: number
}

/**
 * A body on its way into a buffer. It arrives while what is there is used; the sender is stopped only when
 * the buffer is full. Ends with `close`.
 */
export class RequestBody {
  readonly #idle: NodeJS.Timeout
  /** Bytes in the buffer. */
  #filled = 0
  /** Bytes that have arrived. */
  #received = 0
  /** What the buffer had no room for. */
  #rest: Buffer | undefined
  #error: Error | undefined
  #wake: (() => void) | undefined

  constructor(
    private readonly request: IncomingMessage,
    private readonly buffer: Buffer,
    private readonly expected: ExpectedBody,
    idleTimeoutMs: number,
  ) {
    this.#idle = setTimeout(() => {
      this.#fail(new DisconnectedError())
      request.destroy()
    }, idleTimeoutMs)
    request.on('data', this.#onData).on('end', this.#onChange)
    request.on('error', this.#onGone).on('close', this.#onGone)
    // Before anybody listened: no event will say so.
    if (request.destroyed) this.#onGone()
  }

  /**
   * Resolves when the first `count` bytes of the buffer are there.
   * @throws {DisconnectedError} the sender went away; {BlobMismatchError} it sends more than was expected.
   */
  async filled(count: number): Promise<void> {
    await this.#until(() => this.#filled >= count)
  }

  /** Resolves at the end of the body. @throws as `filled`, and {BlobMismatchError} it was shorter. */
  async end(): Promise<void> {
    await this.#until(() => this.request.readableEnded)
    if (!this.request.complete) throw new DisconnectedError()
    if (this.#received !== this.expected.length) throw new BlobMismatchError(this.expected.id)
  }

  /** What is in the buffer was used: it is filled again from its start. */
  again(): void {
    this.#filled = 0
    const rest = this.#rest
    this.#rest = undefined
    if (rest) this.#take(rest)
    if (!this.#rest) this.request.resume()
  }

  /** Nobody touches the buffer any more. The rest of the body stays unread. */
  close(): void {
    clearTimeout(this.#idle)
    this.request.off('data', this.#onData).off('end', this.#onChange)
    this.request.off('error', this.#onGone).off('close', this.#onGone)
    this.request.pause()
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.#error) throw this.#error
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  readonly #onData = (part: Buffer): void => {
    this.#idle.refresh()
    this.#received += part.length
    if (this.#received > this.expected.length) this.#fail(new BlobMismatchError(this.expected.id))
    else this.#take(part)
    this.#onChange()
  }

  #take(part: Buffer): void {
    const copied = part.copy(this.buffer, this.#filled)
    this.#filled += copied
    if (copied === part.length) return
    this.#rest = part.subarray(copied)
    this.request.pause()
  }

  readonly #onChange = (): void => {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }

  readonly #onGone = (): void => {
    if (!this.request.readableEnded) this.#fail(new DisconnectedError())
  }

  #fail(error: Error): void {
    this.#error ??= error
    this.#onChange()
  }
}
