import type { Connection, ConnectionHandlers } from '../ports/transport.js'

/** Which way a delivery goes: from the end that dialled, or to it. */
export type Direction = 'outgoing' | 'incoming'

export interface MemoryConnectionOptions {
  /** For logs. @default 'memory' */
  readonly label?: string
  /**
   * Runs `task` later, never inside the call. A task delivers the oldest frame of one direction, so
   * frames keep their order whatever the order of tasks: a simulator delays, but cannot reorder.
   *
   * @default queueMicrotask
   */
  readonly schedule?: (task: () => void, direction: Direction) => void
  /** `send` returns false while more bytes than this are not taken by the other end. @default 1 MiB */
  readonly highWaterBytes?: number
  /** `drained` resolves at or below this. @default a quarter of `highWaterBytes` */
  readonly lowWaterBytes?: number
}

const HIGH_WATER_BYTES = 1024 * 1024

/** One end: what is on its way to it, and who takes it. */
class MemoryEnd implements Connection {
  /** Set by `join`, before anybody else sees this end. */
  #other!: MemoryEnd
  #handlers: ConnectionHandlers | undefined
  /** Frames on their way to this end, oldest first. */
  #queue: Uint8Array[] = []
  #queuedBytes = 0
  /** The close behind the frames. */
  #closing: { readonly error: Error | undefined } | undefined
  #isPaused = false
  #isScheduled = false
  #isClosed = false
  #drainWaiters: (() => void)[] = []

  constructor(
    readonly label: string,
    readonly direction: Direction,
    readonly options: MemoryConnectionOptions,
    readonly onClosed: () => void,
  ) {}

  join(other: MemoryEnd): void {
    this.#other = other
  }

  open(handlers: ConnectionHandlers): void {
    if (this.#handlers !== undefined) throw new TypeError(`${this.label}: opened twice`)
    this.#handlers = handlers
    this.#pump()
  }

  send(frame: Uint8Array): boolean {
    const other = this.#other
    if (this.#closing !== undefined || other.#closing !== undefined) return true
    other.#queue.push(frame)
    other.#queuedBytes += frame.length
    other.#pump()
    return other.#queuedBytes <= this.#highWaterBytes
  }

  drained(): Promise<void> {
    if (this.#isDrained) return Promise.resolve()
    return new Promise((resolve) => this.#drainWaiters.push(resolve))
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.#pump()
  }

  close(): void {
    this.#end(undefined)
  }

  /** The line breaks: what is on its way is lost, both ends learn why. */
  sever(error: Error): void {
    this.#end(error)
    this.#other.#end(error)
  }

  /** Takes nothing more; the other end gets `closed` behind the frames that it was sent. */
  #end(error: Error | undefined): void {
    if (this.#isClosed) return
    this.#queue = []
    this.#queuedBytes = 0
    this.#isPaused = false
    this.#hear(error)
    this.#other.#hear(error)
  }

  #hear(error: Error | undefined): void {
    if (this.#closing === undefined) this.#closing = { error }
    this.#wakeIfDrained()
    this.#pump()
  }

  #pump(): void {
    if (this.#isScheduled || !this.#hasWork) return
    this.#isScheduled = true
    const schedule = this.options.schedule ?? ((task: () => void) => queueMicrotask(task))
    schedule(() => {
      this.#isScheduled = false
      this.#deliverOne()
    }, this.direction)
  }

  get #hasWork(): boolean {
    if (this.#handlers === undefined || this.#isPaused || this.#isClosed) return false
    return this.#queue.length > 0 || this.#closing !== undefined
  }

  #deliverOne(): void {
    if (!this.#hasWork || this.#handlers === undefined) return
    const frame = this.#queue.shift()
    if (frame === undefined) {
      this.#isClosed = true
      this.onClosed()
      this.#handlers.closed(this.#closing?.error)
      return
    }
    this.#queuedBytes -= frame.length
    this.#other.#wakeIfDrained()
    // Scheduled first: a handler that throws must not stop the stream behind it.
    this.#pump()
    this.#handlers.frame(frame)
  }

  get #isDrained(): boolean {
    if (this.#closing !== undefined || this.#other.#closing !== undefined) return true
    return this.#other.#queuedBytes <= this.#lowWaterBytes
  }

  #wakeIfDrained(): void {
    if (!this.#isDrained || this.#drainWaiters.length === 0) return
    const waiters = this.#drainWaiters
    this.#drainWaiters = []
    for (const wake of waiters) wake()
  }

  get #highWaterBytes(): number {
    return this.options.highWaterBytes ?? HIGH_WATER_BYTES
  }

  get #lowWaterBytes(): number {
    return this.options.lowWaterBytes ?? Math.floor(this.#highWaterBytes / 4)
  }
}

/** Both ends of one connection. */
export interface MemoryConnectionPair {
  /** The end that dialled. */
  readonly near: Connection
  /** The end that accepted. */
  readonly far: Connection
  /** Breaks the line: frames on their way are lost and both ends get `closed(error)`. */
  sever(error: Error): void
}

/**
 * Frames are passed by reference: as on any transport, nobody changes a frame after it was sent.
 *
 * @param onClosed Called once, when both ends got `closed`.
 */
export function createMemoryConnectionPair(
  options: MemoryConnectionOptions = {},
  onClosed?: () => void,
): MemoryConnectionPair {
  const label = options.label ?? 'memory'
  let endsUp = 2
  const oneClosed = () => {
    if (--endsUp === 0) onClosed?.()
  }
  const near = new MemoryEnd(`${label}:near`, 'incoming', options, oneClosed)
  const far = new MemoryEnd(`${label}:far`, 'outgoing', options, oneClosed)
  near.join(far)
  far.join(near)
  return { near, far, sever: (error) => near.sever(error) }
}
