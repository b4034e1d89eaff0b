/** What the retry policy may do about an error: read by one policy object, nowhere else. */
export type Retry = 'never' | 'later' | 'other-source'

/** Base of every error that Tidemark throws on purpose. `code` is stable across majors. */
export abstract class SyncError extends Error {
  abstract readonly code: string
  abstract readonly retry: Retry
}

/** A peer's bytes are not what the protocol allows. The session ends; nothing was written. */
export class DecodeError extends SyncError {
  override readonly name = 'DecodeError'
  readonly code = 'DECODE'
  readonly retry = 'never'
}

/** A limit of `limits.ts` was exceeded by a peer or by the user's input. */
export class LimitError extends SyncError {
  override readonly name = 'LimitError'
  readonly code = 'LIMIT'
  readonly retry = 'never'
  constructor(
    message: string,
    readonly limit: string,
    readonly value: number,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}

/** A peer broke a rule of the protocol (not of the encoding). The session ends. */
export class ProtocolError extends SyncError {
  override readonly name = 'ProtocolError'
  readonly retry = 'never'
  constructor(
    readonly code: ProtocolErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}
export type ProtocolErrorCode =
  | 'BAD_MAGIC'
  | 'VERSION'
  | 'FEATURE'
  | 'UNEXPECTED_MESSAGE'
  | 'BAD_ENTRY'
  | 'KIND_CHANGED'
  | 'BAD_REJECT'
  | 'FRONTIER_UNFOUNDED'
  | 'UNKNOWN_CHANNEL'
  | 'HEARTBEAT'

/** The hub refused: wrong token, no such space, not allowed. */
export class AccessError extends SyncError {
  override readonly name = 'AccessError'
  readonly retry = 'never'
  constructor(
    readonly code: 'UNAUTHENTICATED' | 'FORBIDDEN' | 'NO_SUCH_SPACE',
    message: string,
  ) {
    super(message)
  }
}

/** The channel to a peer could not be opened or broke. */
export class TransportError extends SyncError {
  override readonly name = 'TransportError'
  readonly code = 'TRANSPORT'
  readonly retry = 'later'
}

/** An error that a peer reported. An unknown code becomes `PEER_ERROR` with the code kept. */
export class PeerError extends SyncError {
  override readonly name = 'PeerError'
  readonly code = 'PEER_ERROR'
  constructor(
    readonly peerCode: string,
    message: string,
    readonly retry: Retry,
    readonly retryAfterMs?: number,
  ) {
    super(message)
  }
}

/** A chunk came back with other bytes than its name promises. Never retried from the same source. */
export class ChunkMismatchError extends SyncError {
  override readonly name = 'ChunkMismatchError'
  readonly code = 'CHUNK_MISMATCH'
  readonly retry = 'other-source'
  constructor(
    readonly expected: string,
    readonly actual: string,
    options?: ErrorOptions,
  ) {
    super(`chunk ${expected.slice(0, 12)}…: source returned other bytes (${actual.slice(0, 12)}…)`, options)
  }
}

/** The bytes offered for a blob do not hash to its id, or have another length. Nothing was stored. */
export class BlobMismatchError extends SyncError {
  override readonly name = 'BlobMismatchError'
  readonly code = 'BLOB_MISMATCH'
  readonly retry = 'never'
  constructor(
    readonly blob: string,
    message = `blob ${blob.slice(0, 12)}…: the bytes do not match the id; nothing was stored`,
  ) {
    super(message)
  }
}

export class BlobNotFoundError extends SyncError {
  override readonly name = 'BlobNotFoundError'
  readonly code = 'BLOB_NOT_FOUND'
  readonly retry = 'other-source'
  constructor(readonly blob: string) {
    super(`blob ${blob.slice(0, 12)}… is not in the store`)
  }
}

/** No source that is reachable now holds these chunks. */
export class ChunksMissingError extends SyncError {
  override readonly name = 'ChunksMissingError'
  readonly code = 'CHUNKS_MISSING'
  readonly retry = 'later'
  constructor(readonly chunks: readonly string[]) {
    super(`${chunks.length} chunk(s) are not available now, the first is ${chunks[0]?.slice(0, 12)}…`)
  }
}

/** The grant's URL is no longer valid: ask for a new one and try again. */
export class GrantExpiredError extends SyncError {
  override readonly name = 'GrantExpiredError'
  readonly code = 'GRANT_EXPIRED'
  readonly retry = 'later'
}

/** The blob store answered with a failure. */
export class StoreError extends SyncError {
  override readonly name = 'StoreError'
  readonly code = 'STORE'
  readonly retry = 'later'
  /** What the store asked for. */
  readonly retryAfterMs?: number
  constructor(
    message: string,
    readonly status?: number,
    options?: ErrorOptions & { readonly retryAfterMs?: number | undefined },
  ) {
    super(message, options)
    if (options?.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs
  }
}

/** A file was modified while it was read; try again when it is quiet. */
export class SourceChangedError extends SyncError {
  override readonly name = 'SourceChangedError'
  readonly code = 'SOURCE_CHANGED'
  readonly retry = 'later'
}

/** The local database cannot be used: newer format, damaged, in use by another process, refused by its disk, or begun anew. */
export class DatabaseError extends SyncError {
  override readonly name = 'DatabaseError'
  readonly retry: 'never' | 'later'
  constructor(
    readonly code: 'FORMAT_TOO_NEW' | 'CORRUPT' | 'LOCKED' | 'CLOSED' | 'NO_SPACE' | 'IO' | 'BEGINS_ANEW',
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.retry = code === 'NO_SPACE' || code === 'IO' || code === 'BEGINS_ANEW' ? 'later' : 'never'
  }
}

/** There is nothing at this path, or something of another kind. */
export class PathError extends SyncError {
  override readonly name = 'PathError'
  readonly retry = 'never'
  constructor(
    readonly code:
      | 'NOT_FOUND'
      | 'EXISTS'
      | 'NOT_A_DIRECTORY'
      | 'IS_A_DIRECTORY'
      | 'INVALID_NAME'
      | 'NOT_EMPTY',
    readonly path: string,
    message?: string,
  ) {
    super(message ?? `${path}: ${code.toLowerCase().replaceAll('_', ' ')}`)
  }
}
