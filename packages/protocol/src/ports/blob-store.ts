import type { BlobId, SpaceName } from '../ids.js'

/**
 * Content-addressed bytes; knows no names and no chunks inside. A put either stores exactly the bytes
 * whose SHA-256 is the id, durably, or stores nothing. Every method may run concurrently with itself.
 */
export interface BlobStore {
  /** What this store can do, declared rather than discovered by failing. */
  readonly supports: BlobStoreSupports
  /** Idempotent. @throws {BlobMismatchError} the bytes do not hash to `id`. */
  put(space: SpaceName, id: BlobId, bytes: Uint8Array, options?: { signal?: AbortSignal }): Promise<void>
  /** Length in bytes of a stored blob, `undefined` if there is none. */
  stat(space: SpaceName, id: BlobId): Promise<number | undefined>
  /** `length` bytes from `offset`. @throws {BlobNotFoundError}, {RangeError} outside the blob. */
  read(
    space: SpaceName,
    id: BlobId,
    range: ByteRange,
    options?: { signal?: AbortSignal },
  ): Promise<Uint8Array>
  delete(space: SpaceName, id: BlobId): Promise<void>
  list(space: SpaceName): AsyncIterable<BlobId>
  /** A short-lived permission to put exactly this blob. @throws {RangeError} length out of bounds. */
  grantPut(space: SpaceName, blob: { id: BlobId; length: number }): Promise<Grant>
  /** A short-lived permission to read this blob, ranges included. */
  grantGet(space: SpaceName, id: BlobId): Promise<Grant>
}

export interface BlobStoreSupports {
  /** The store itself refuses an upload whose bytes do not match the id. */
  readonly verifiesOnPut: boolean
  /** Grants are URLs (`grantPut`, `grantGet`); otherwise bytes pass through `put` and `read`. */
  readonly grants: boolean
}

/** Bytes `[offset, offset + length)`. */
export interface ByteRange {
  readonly offset: number
  readonly length: number
}

/** What a client needs to move a blob itself. A relative `url` is resolved against the dialled base. */
export interface Grant {
  readonly method: 'PUT' | 'GET'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** Milliseconds since 1970 by the granter's clock; a hint: the store decides. */
  readonly expiresAtMs: number
}

/** The client's side of a grant: plain HTTP. Implementations never retry; the policy does. */
export interface BlobClient {
  /** @throws {GrantExpiredError}, {BlobMismatchError}, {StoreError} */
  put(grant: Grant, body: Uint8Array, options: { signal?: AbortSignal }): Promise<void>
  /**
   * Exactly `range.length` bytes.
   * @param options.into At least as many bytes of memory. A client may fill it and answer with a view on it,
   *   instead of making new memory; it may as well ignore it. It must not touch it after it has answered.
   * @throws {GrantExpiredError}, {BlobNotFoundError}, {StoreError}
   */
  get(
    grant: Grant,
    range: ByteRange,
    options: { signal?: AbortSignal; into?: Uint8Array },
  ): Promise<Uint8Array>
}
