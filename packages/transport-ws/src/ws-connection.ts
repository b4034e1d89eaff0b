import { type Connection, type ConnectionHandlers, TransportError } from '@tidemark/protocol'
import type { WebSocket } from 'ws'
import { CLOSE_NORMAL, CLOSE_TIMEOUT_MS, HIGH_WATER_BYTES, LOW_WATER_BYTES } from './water-marks.js'

/** RFC 6455. */
const CLOSE_UNSUPPORTED_DATA = 1003

/** A `ws` socket as a connection. Frames that come before `open` wait in the paused socket. */
export class WsConnection implements Connection {
  readonly label: string
  readonly #socket: WebSocket
  #handlers: ConnectionHandlers | undefined
  #error: Error | undefined
  #closed = false
  #paused = false
  /** Frames that the socket had read already when it was paused. */
  #held: Buffer[] = []
  #waiting: (() => void)[] = []

  constructor(socket: WebSocket, label: string) {
    this.#socket = socket
    this.label = label
    socket.binaryType = 'nodebuffer'
    socket.pause()
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#message(data, isBinary))
    socket.on('error', (error) => {
      this.#error ??= new TransportError(`${label}: ${error.message}`, { cause: error })
    })
    socket.on('close', (code) => this.#ended(code))
  }

  open(handlers: ConnectionHandlers): void {
    if (this.#handlers) throw new TypeError('the connection is open already')
    this.#handlers = handlers
    if (this.#closed) queueMicrotask(() => handlers.closed(this.#error))
    else this.#socket.resume()
  }

  send(frame: Uint8Array): boolean {
    if (this.#closed || this.#socket.readyState !== this.#socket.OPEN) return true
    this.#socket.send(frame, { binary: true }, () => this.#flushed())
    return this.#socket.bufferedAmount < HIGH_WATER_BYTES
  }

  drained(): Promise<void> {
    if (this.#closed || this.#socket.bufferedAmount < LOW_WATER_BYTES) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  pause(): void {
    this.#paused = true
    this.#socket.pause()
  }

  resume(): void {
    this.#paused = false
    if (!this.#handlers || this.#closed) return
    while (this.#held.length > 0 && !this.#paused) this.#handlers.frame(this.#held.shift()!)
    if (!this.#paused) this.#socket.resume()
  }

  close(reason = ''): void {
    if (this.#closed) return
    this.#held = []
    // A paused socket would never read the peer's close frame.
    this.#socket.resume()
    this.#socket.close(CLOSE_NORMAL, reason.slice(0, 120))
    const timer = setTimeout(() => this.#socket.terminate(), CLOSE_TIMEOUT_MS)
    timer.unref()
    this.#socket.once('close', () => clearTimeout(timer))
  }

  #message(data: Buffer, isBinary: boolean): void {
    // After close() the peer's last frames are still read, and dropped.
    if (this.#socket.readyState !== this.#socket.OPEN) return
    if (!isBinary) {
      this.#error ??= new TransportError(`${this.label}: a text frame came; only binary frames are allowed`)
      this.#socket.close(CLOSE_UNSUPPORTED_DATA)
      return
    }
    if (this.#paused || this.#held.length > 0) this.#held.push(data)
    else this.#handlers?.frame(data)
  }

  #flushed(): void {
    if (this.#waiting.length === 0 || this.#socket.bufferedAmount >= LOW_WATER_BYTES) return
    this.#release()
  }

  #release(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }

  #ended(code: number): void {
    if (this.#closed) return
    this.#closed = true
    if (code !== CLOSE_NORMAL) {
      this.#error ??= new TransportError(`${this.label}: the connection broke (close code ${code})`)
    }
    this.#held = []
    this.#release()
    this.#handlers?.closed(this.#error)
  }
}
