import { type Connection, type ConnectionHandlers, FRAME_BYTES_MAX, TransportError } from '@tidemark/protocol'
import { CLOSE_NORMAL, CLOSE_TIMEOUT_MS, HIGH_WATER_BYTES, LOW_WATER_BYTES } from '../water-marks.js'

/** The part of a page's WebSocket that is used. */
export interface PageSocket {
  binaryType: string
  readonly readyState: number
  readonly bufferedAmount: number
  onopen: ((event: never) => void) | null
  onmessage: ((event: never) => void) | null
  onerror: ((event: never) => void) | null
  onclose: ((event: never) => void) | null
  send(data: Uint8Array<ArrayBuffer>): void
  close(code?: number, reason?: string): void
}

const OPEN = 1
/** Pages may close with 1000 and codes of their own. */
const CLOSE_BAD_FRAME = 4000
const CLOSE_TOO_SLOW = 4001
/** Characters of one byte: longer reasons make a page throw. */
const CLOSE_REASON_MAX = 120
/** Nobody tells a page that its queue was sent. */
const DRAIN_POLL_MS = 10
/** Frames that came and are not wanted yet. */
const HELD_BYTES_MAX = 16 * FRAME_BYTES_MAX

/**
 * A page's WebSocket as a connection. A page cannot stop reading its socket: frames that come while nobody wants
 * them are held, and above 64 MiB of them the connection ends with an error; the next one goes on behind what was
 * delivered.
 */
export class PageConnection implements Connection {
  readonly label: string
  readonly #socket: PageSocket
  #handlers: ConnectionHandlers | undefined
  #error: Error | undefined
  #closed = false
  /** No frame that comes from now on is delivered. */
  #isClosing = false
  #paused = false
  #held: Uint8Array[] = []
  #heldBytes = 0
  #waiting: (() => void)[] = []
  #poll: ReturnType<typeof setInterval> | undefined
  #cut: ReturnType<typeof setTimeout> | undefined

  constructor(socket: PageSocket, label: string) {
    this.#socket = socket
    this.label = label
    socket.onmessage = ({ data }: { data: unknown }) => this.#message(data)
    socket.onerror = () => {
      this.#error ??= new TransportError(`${label}: the connection broke`)
    }
    socket.onclose = ({ code }: { code: number }) => this.#ended(code)
  }

  open(handlers: ConnectionHandlers): void {
    if (this.#handlers) throw new TypeError('the connection is open already')
    this.#handlers = handlers
    queueMicrotask(() => {
      this.#deliver()
      if (this.#closed) handlers.closed(this.#error)
    })
  }

  send(frame: Uint8Array): boolean {
    if (this.#isClosing || this.#socket.readyState !== OPEN) return true
    this.#socket.send(frame as Uint8Array<ArrayBuffer>)
    return this.#socket.bufferedAmount < HIGH_WATER_BYTES
  }

  drained(): Promise<void> {
    if (this.#closed || this.#socket.bufferedAmount < LOW_WATER_BYTES) return Promise.resolve()
    this.#poll ??= setInterval(() => {
      if (this.#socket.bufferedAmount < LOW_WATER_BYTES) this.#release()
    }, DRAIN_POLL_MS)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#deliver()
  }

  close(reason = ''): void {
    this.#end(CLOSE_NORMAL, reason)
  }

  #end(code: number, reason: string): void {
    if (this.#isClosing) return
    this.#isClosing = true
    this.#drop()
    this.#socket.close(code, reason.replace(/[^ -~]/g, '?').slice(0, CLOSE_REASON_MAX))
    // A page cannot cut its socket: it goes on by itself, and nobody listens.
    this.#cut = setTimeout(() => this.#ended(code), CLOSE_TIMEOUT_MS)
  }

  #message(data: unknown): void {
    if (this.#isClosing) return
    if (!(data instanceof ArrayBuffer)) {
      this.#fail(CLOSE_BAD_FRAME, 'a text frame came; only binary frames are allowed')
    } else if (data.byteLength > FRAME_BYTES_MAX) {
      this.#fail(CLOSE_BAD_FRAME, `a frame of ${data.byteLength} bytes came`)
    } else if (this.#handlers && !this.#paused && this.#held.length === 0) {
      this.#handlers.frame(new Uint8Array(data))
    } else {
      this.#held.push(new Uint8Array(data))
      this.#heldBytes += data.byteLength
      if (this.#heldBytes > HELD_BYTES_MAX) this.#fail(CLOSE_TOO_SLOW, 'more came than could be taken')
    }
  }

  #fail(code: number, what: string): void {
    this.#error ??= new TransportError(`${this.label}: ${what}`)
    this.#end(code, what)
  }

  #deliver(): void {
    const handlers = this.#handlers
    while (handlers && !this.#paused && this.#held.length > 0) {
      const frame = this.#held.shift()!
      this.#heldBytes -= frame.length
      handlers.frame(frame)
    }
  }

  #drop(): void {
    this.#held = []
    this.#heldBytes = 0
  }

  #release(): void {
    clearInterval(this.#poll)
    this.#poll = undefined
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }

  #ended(code: number): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#cut)
    if (code !== CLOSE_NORMAL) {
      this.#error ??= new TransportError(`${this.label}: the connection broke (close code ${code})`)
    }
    this.#release()
    if (!this.#handlers) return
    this.#isClosing = true
    this.#drop()
    this.#handlers.closed(this.#error)
  }
}
