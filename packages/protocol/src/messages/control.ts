/** An error, and what ends with it. */
export interface Fault {
  readonly type: 'fault'
  readonly code: string
  readonly message: string
  readonly retry: 'never' | 'later' | 'other-source'
  readonly retryAfterMs?: number
  /** Absent: the session. */
  readonly channel?: number
  /** The request that failed, if it was one. */
  readonly request?: number
}

export interface Ping {
  readonly type: 'ping'
  readonly nonce: number
}
export interface Pong {
  readonly type: 'pong'
  readonly nonce: number
}
