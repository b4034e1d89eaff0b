import {
  AccessError,
  DatabaseError,
  DecodeError,
  GrantExpiredError,
  LimitError,
  PeerError,
  ProtocolError,
  type ProtocolErrorCode,
  type Retry,
  StoreError,
  SyncError,
} from './errors.js'
import { TEXT_BYTES_MAX } from './limits.js'
import type { Fault } from './messages/control.js'

/**
 * Errors on the wire, both ways, in one place. Codes are stable across majors; messages are free text.
 */
const PROTOCOL_CODES: { readonly [K in ProtocolErrorCode]: true } = {
  BAD_MAGIC: true,
  VERSION: true,
  FEATURE: true,
  UNEXPECTED_MESSAGE: true,
  BAD_ENTRY: true,
  KIND_CHANGED: true,
  BAD_REJECT: true,
  FRONTIER_UNFOUNDED: true,
  UNKNOWN_CHANNEL: true,
  HEARTBEAT: true,
}
const ACCESS_CODES: { readonly [K in AccessError['code']]: true } = {
  UNAUTHENTICATED: true,
  FORBIDDEN: true,
  NO_SUCH_SPACE: true,
}
const isIn = <K extends string>(codes: Readonly<Record<K, true>>, code: string): code is K =>
  Object.hasOwn(codes, code)

/** What a peer's fault means here. An unknown code becomes a `PeerError` with the code kept. */
export function faultToError(fault: Pick<Fault, 'code' | 'message' | 'retry' | 'retryAfterMs'>): SyncError {
  const { code, message, retry, retryAfterMs } = fault
  if (isIn(PROTOCOL_CODES, code)) return new ProtocolError(code, message)
  if (isIn(ACCESS_CODES, code)) return new AccessError(code, message)
  if (code === 'DECODE') return new DecodeError(message)
  if (code === 'LIMIT') return new LimitError(message, 'peer', Number.NaN)
  if (code === 'GRANT_EXPIRED') return new GrantExpiredError(message)
  if (code === 'STORE') return new StoreError(message)
  return new PeerError(code, message, retry, retryAfterMs)
}

/** What ends with the error; absent: the session. */
export interface FaultScope {
  readonly channel?: number
  readonly request?: number
}

/** What a peer is told. A defect of ours is told without its details. */
export function errorToFault(error: unknown, scope: FaultScope = {}): Fault {
  const told: { code: string; message: string; retry: Retry; retryAfterMs?: number } =
    error instanceof PeerError
      ? {
          code: error.peerCode,
          message: error.message,
          retry: error.retry,
          ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
        }
      : error instanceof DatabaseError
        ? { code: error.code, message: databaseWords(error.code), retry: 'later' }
        : error instanceof SyncError
          ? { code: error.code, message: error.message, retry: error.retry }
          : { code: 'INTERNAL', message: 'internal error', retry: 'later' }
  return { type: 'fault', ...told, message: cutText(told.message), ...scope }
}

/** Where our database is, is nobody's business; and only we can do something about it. */
const databaseWords = (code: DatabaseError['code']): string =>
  code === 'NO_SPACE' ? 'no space left for the database there' : 'the database there cannot be used'

/** Text for people that fits the wire: a code point is at most 4 bytes, a lone surrogate becomes the replacement character. */
export function cutText(message: string): string {
  const points = [...message].slice(0, TEXT_BYTES_MAX / 4)
  return points.map((point) => (/^[\ud800-\udfff]$/.test(point) ? '\ufffd' : point)).join('')
}
