import {
  BlobMismatchError,
  BlobNotFoundError,
  type ByteRange,
  type Grant,
  GrantExpiredError,
  StoreError,
  SyncError,
} from '@tidemark/protocol'

/** Bytes of a failure's body that are read. */
export const PROBLEM_BYTES_MAX = 8 * 1024

/** A failure of a blob store, by whatever HTTP client. */
export interface RefusedAnswer {
  readonly status: number
  /** Its body, cut at `PROBLEM_BYTES_MAX`. */
  readonly text: string
  /** The header `retry-after`. */
  readonly retryAfter: string | undefined
}

/** What relative grants are resolved against. @throws {TypeError} no URL. */
export function httpUrl(text: string): URL {
  const url = new URL(text)
  if (url.protocol === 'ws:' || url.protocol === 'wss:') return new URL(url.href.replace(/^ws/, 'http'))
  return url
}

/**
 * Whether an answer means that the grant is carried out. One that only creates is answered 412 where the blob is
 * there: sent again, or by somebody else. Whether it is the right one is for the hub to say, as after every upload.
 */
export function isCarriedOut(grant: Grant, status: number): boolean {
  return status < 300 || (status === 412 && grant.headers['if-none-match'] === '*')
}

/**
 * Failures of our own store are problem documents (RFC 9457) with a member `code`, those of S3 are XML with
 * `<Code>`; S3 answers 403 when a presigned URL is over.
 *
 * @param nowMs Milliseconds since 1970.
 */
export function refusal(grant: Grant, { status, text, retryAfter }: RefusedAnswer, nowMs: number): SyncError {
  const code = /"code"\s*:\s*"(\w+)"|<Code>(\w+)<\/Code>/.exec(text)
  const name = code?.[1] ?? code?.[2] ?? ''
  const blob = /[0-9a-f]{64}/.exec(grant.url)?.[0] ?? grant.url
  // Some stores do not say why they refuse. That our clock says so, too, makes it likely enough to ask again.
  const isOver = /expired/i.test(text) || (name === 'AccessDenied' && grant.expiresAtMs <= nowMs)
  if (status === 410 || (status === 403 && isOver)) {
    return new GrantExpiredError('the store says that the grant is over')
  }
  if (status === 400 && ['BLOB_MISMATCH', 'BadDigest', 'XAmzContentSHA256Mismatch'].includes(name)) {
    return new BlobMismatchError(blob)
  }
  if (status === 404) return new BlobNotFoundError(blob)
  if (status === 507) return new StoreError('the blob store is full', status)
  return new StoreError(`blob store: status ${status}${name && ` ${name}`}`, status, {
    retryAfterMs: retryAfterMs(retryAfter),
  })
}

/** Seconds, as every store that we know says it; a date is not looked at. */
const retryAfterMs = (header: string | undefined): number | undefined =>
  header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) * 1000 : undefined

/** What an HTTP client throws about the connection becomes a `StoreError`. @throws the signal's reason. */
export async function translated<T>(signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    signal?.throwIfAborted()
    if (error instanceof SyncError) throw error
    throw new StoreError(`blob store: ${(error as Error).message}`, undefined, { cause: error })
  }
}

/** What says which bytes an answer has. */
export interface RangeHead {
  readonly status: number
  readonly contentRange: string | undefined
  readonly contentLength: string | undefined
}

/** A store that sends other bytes than it was asked for has not understood the range. @throws {StoreError} */
export function mustBeRange(
  { status, contentRange, contentLength }: RangeHead,
  { offset, length }: ByteRange,
): void {
  if (status === 206 && contentRange === undefined) {
    const what = 'blob store: did not say which range it sent; to a page CORS must expose content-range'
    throw new StoreError(what, status)
  }
  const isRange =
    status === 206
      ? contentRange?.startsWith(`bytes ${offset}-${offset + length - 1}/`)
      : offset === 0 && contentLength === String(length)
  if (!isRange) throw new StoreError(`blob store: answered a range with another (status ${status})`, status)
}

/** Collects exactly the bytes of a range. */
export class RangeBody {
  #at = 0
  readonly #bytes: Uint8Array

  /** @param into At least `length` bytes. */
  constructor(
    private readonly length: number,
    private readonly status: number,
    into: Uint8Array | undefined,
  ) {
    this.#bytes = into?.subarray(0, length) ?? new Uint8Array(length)
  }

  /** @throws {StoreError} more than the range. */
  add(part: Uint8Array): void {
    if (this.#at + part.length > this.length) {
      throw new StoreError('blob store: sent more than the range', this.status)
    }
    this.#bytes.set(part, this.#at)
    this.#at += part.length
  }

  /** @throws {StoreError} less than the range. */
  end(): Uint8Array {
    if (this.#at < this.length) throw new StoreError('blob store: sent less than the range', this.status)
    return this.#bytes
  }
}
