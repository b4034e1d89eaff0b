/**
 * One reliable, ordered channel of binary frames between two peers, already authenticated or not.
 * Frames are delivered whole, in order, at most once; a lost frame ends the connection.
 */
export interface Connection {
  /** For logs and `status`, e.g. `ws://127.0.0.1:8080`. */
  readonly label: string
  /**
   * Starts delivery. Called once; frames that came earlier are delivered then. `closed` is called once,
   * last, with the reason if the channel broke.
   */
  open(handlers: ConnectionHandlers): void
  /** Queues a frame. After `close` it is dropped. @returns false when the caller should await `drained()`. */
  send(frame: Uint8Array): boolean
  /** Resolves when the queue is below its low-water mark, or the connection is closed. */
  drained(): Promise<void>
  /** Stops delivering (and, as far as the medium can, receiving) until `resume`. */
  pause(): void
  resume(): void
  /** Idempotent; queued frames are sent first where the medium allows. Both ends get `closed`. */
  close(reason?: string): void
}

export interface ConnectionHandlers {
  frame(bytes: Uint8Array): void
  closed(error?: Error): void
}

/** Opens connections to one fixed peer. Redialling is the engine's business: one retry policy, one place. */
export interface Transport {
  readonly label: string
  /** Base URL against which relative grant URLs are resolved, when the medium has one. */
  readonly httpBase?: string
  /** @throws {TransportError} refused, timed out or aborted. */
  connect(options: { signal: AbortSignal }): Promise<Connection>
}

/** The accepting side. */
export interface Listener {
  onConnection(handler: (connection: Connection) => void): void
  close(): Promise<void>
}
