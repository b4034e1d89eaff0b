import {
  type BlobClient,
  BlobMismatchError,
  BlobNotFoundError,
  type ByteRange,
  type Grant,
  GrantExpiredError,
  StoreError,
  SyncError,
} from '@tidemark/protocol'
import type { Agent, Dispatcher, request } from 'undici'
import { RangeReader } from './range-reader.js'
import { systemClock } from './system-clock.js'

/** Bytes of a failure's body that are read. */
const PROBLEM_BYTES_MAX = 8 * 1024
/** Longer ranges are read straight into the caller's memory, where that is possible. */
const STRAIGHT_BYTES_MIN = 256 * 1024

export interface UndiciBlobClientOptions {
  /** What relative grants are resolved against: the URL that was dialled; ws and wss become http and https. */
  readonly baseUrl: string
  /** Connections to one store, at most, and as many again for long ranges. @default 8: one for each body in flight */
  readonly connectionsMax?: number
  /** Silence after which a request is given up, milliseconds. @default 30,000 */
  readonly idleTimeoutMs?: number
}

/** Blobs over HTTP. Never retries. Close it when it is not needed any more. */
export interface UndiciBlobClient extends BlobClient {
  close(): Promise<void>
}

/** @throws {TypeError} `baseUrl` is no URL. */
export function undiciBlobClient(options: UndiciBlobClientOptions): UndiciBlobClient {
  const base = httpUrl(options.baseUrl)
  const idleTimeoutMs = options.idleTimeoutMs ?? 30_000
  const connectionsMax = options.connectionsMax ?? 8
  const straight = new RangeReader({ connectionsMax, idleTimeoutMs })
  const http = loadHttp({
    connections: connectionsMax,
    pipelining: 1,
    connect: { timeout: idleTimeoutMs },
    headersTimeout: idleTimeoutMs,
    bodyTimeout: idleTimeoutMs,
  })
  // Told to whoever needs it, and to nobody where nobody does.
  http.catch(() => undefined)
  const send = async (
    grant: Grant,
    headers: Record<string, string>,
    body: Uint8Array | null,
    signal: AbortSignal | undefined,
  ): Promise<Dispatcher.ResponseData> => {
    const { agent, request } = await http
    const options = {
      method: grant.method,
      headers: { ...grant.headers, ...headers },
      body,
      dispatcher: agent,
    }
    const response = await request(new URL(grant.url, base), { ...options, ...(signal ? { signal } : {}) })
    const isThere = response.statusCode === 412 && grant.headers['if-none-match'] === '*'
    if (response.statusCode >= 300 && !isThere) throw await toError(grant, response)
    return response
  }
  return {
    // A grant that only creates is answered 412 where the blob is there: sent again, or by somebody else.
    // Whether it is the right one is for the hub to say, as after every upload.
    put: (grant, body, { signal }) =>
      translated(signal, async () => {
        const response = await send(grant, { 'content-length': String(body.length) }, body, signal)
        await response.body.dump()
      }),
    get: (grant, range, { signal, into }) =>
      translated(signal, async () => {
        if (range.length === 0) return new Uint8Array()
        const url = new URL(grant.url, base)
        if (into && range.length >= STRAIGHT_BYTES_MIN && url.protocol === 'http:') {
          const room = into.subarray(0, range.length)
          if (await straight.read(url, grant.headers, range, room, signal)) return room
          signal?.throwIfAborted()
        }
        const last = range.offset + range.length - 1
        const response = await send(grant, { range: `bytes=${range.offset}-${last}` }, null, signal)
        return readRange(response, range, into)
      }),
    close: async () => {
      straight.close()
      await (await http).agent.destroy()
    },
  }
}

/** Loaded when somebody is to move blobs: a hub, whose blobs are its own, does without it. */
async function loadHttp(options: Agent.Options): Promise<{ agent: Agent; request: typeof request }> {
  const undici = await import('undici')
  return { agent: new undici.Agent(options), request: undici.request }
}

function httpUrl(text: string): URL {
  const url = new URL(text)
  if (url.protocol === 'ws:' || url.protocol === 'wss:') {
    return new URL(url.href.replace(/^ws/, 'http'))
  }
  return url
}

/** What undici throws about the connection becomes a `StoreError`. */
async function translated<T>(signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    signal?.throwIfAborted()
    if (error instanceof SyncError) throw error
    throw new StoreError(`blob store: ${(error as Error).message}`, undefined, { cause: error })
  }
}

/** Exactly the bytes that were asked for: a store that sends others has not understood the range. */
async function readRange(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  range: ByteRange,
  into: Uint8Array | undefined,
): Promise<Uint8Array> {
  const { offset, length } = range
  const isRange =
    statusCode === 206
      ? String(headers['content-range']).startsWith(`bytes ${offset}-${offset + length - 1}/`)
      : offset === 0 && headers['content-length'] === String(length)
  if (!isRange) {
    // The rest is not read; undici reports that as an error of the body.
    body.on('error', () => undefined).destroy()
    throw new StoreError(`blob store: answered a range with another (status ${statusCode})`, statusCode)
  }
  const bytes = into?.subarray(0, length) ?? new Uint8Array(length)
  let at = 0
  for await (const part of body as AsyncIterable<Uint8Array>) {
    if (at + part.length > length) throw new StoreError('blob store: sent more than the range', statusCode)
    bytes.set(part, at)
    at += part.length
  }
  if (at < length) throw new StoreError('blob store: sent less than the range', statusCode)
  return bytes
}

/**
 * Failures of our own store are problem documents (RFC 9457) with a member `code`, those of S3 are XML with
 * `<Code>`; S3 answers 403 when a presigned URL is over.
 */
async function toError(
  grant: Grant,
  { statusCode, headers, body }: Dispatcher.ResponseData,
): Promise<SyncError> {
  const text = await readText(body)
  const code = /"code"\s*:\s*"(\w+)"|<Code>(\w+)<\/Code>/.exec(text)
  const name = code?.[1] ?? code?.[2] ?? ''
  const blob = /[0-9a-f]{64}/.exec(grant.url)?.[0] ?? grant.url
  // Some stores do not say why they refuse. That our clock says so, too, makes it likely enough to ask again.
  const isOver =
    /expired/i.test(text) || (name === 'AccessDenied' && grant.expiresAtMs <= systemClock.nowMs())
  if (statusCode === 410 || (statusCode === 403 && isOver)) {
    return new GrantExpiredError('the store says that the grant is over')
  }
  if (statusCode === 400 && ['BLOB_MISMATCH', 'BadDigest', 'XAmzContentSHA256Mismatch'].includes(name)) {
    return new BlobMismatchError(blob)
  }
  if (statusCode === 404) return new BlobNotFoundError(blob)
  if (statusCode === 507) return new StoreError('the blob store is full', statusCode)
  return new StoreError(`blob store: status ${statusCode}${name && ` ${name}`}`, statusCode, {
    retryAfterMs: retryAfterMs(headers['retry-after']),
  })
}

/** Seconds, as every store that we know says it; a date is not looked at. */
function retryAfterMs(header: string | string[] | undefined): number | undefined {
  return typeof header === 'string' && /^\d{1,6}$/.test(header) ? Number(header) * 1000 : undefined
}

async function readText(body: Dispatcher.ResponseData['body']): Promise<string> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of body as AsyncIterable<Uint8Array>) {
    parts.push(part)
    length += part.length
    // Leaving the loop ends the connection: nobody reads the rest.
    if (length >= PROBLEM_BYTES_MAX) break
  }
  return Buffer.concat(parts).toString('utf8', 0, PROBLEM_BYTES_MAX)
}
