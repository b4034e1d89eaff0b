import type { BlobClient, ByteRange, Grant, SyncError } from '@tidemark/protocol'
import type { Agent, Dispatcher, request } from 'undici'
import {
  httpUrl,
  isCarriedOut,
  mustBeRange,
  PROBLEM_BYTES_MAX,
  RangeBody,
  refusal,
  translated,
} from '../adapters/blob-answer.js'
import { Deadline, uploadTimeoutMs } from '../adapters/deadline.js'
import { RangeReader } from './range-reader.js'
import { systemClock } from './system-clock.js'

/** Longer ranges are read straight into the caller's memory, where that is possible. */
const STRAIGHT_BYTES_MIN = 256 * 1024
/** Of a body that the socket takes at once. */
const SLICE_BYTES = 64 * 1024

export interface UndiciBlobClientOptions {
  /** What relative grants are resolved against: the URL that was dialled; ws and wss become http and https. */
  readonly baseUrl: string
  /** Connections to one store, at most, and as many again for long ranges. @default 8: one for each body in flight */
  readonly connectionsMax?: number
  /**
   * Silence after which a request is given up, milliseconds. An upload has a second more for each 16 KB that went
   * out: they may be in buffers, of the system or of a tunnel, that tell of their progress rarely. @default 30,000
   */
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
    sent: { readonly body?: AsyncIterable<Uint8Array>; readonly headersTimeout?: number },
    signal: AbortSignal | undefined,
  ): Promise<Dispatcher.ResponseData> => {
    const { agent, request } = await http
    const { body, ...limits } = sent
    const options = {
      ...limits,
      // Its documentation has iterables, its types do not.
      body: (body ?? null) as null,
      method: grant.method,
      headers: { ...grant.headers, ...headers },
      dispatcher: agent,
    }
    const response = await request(new URL(grant.url, base), { ...options, ...(signal ? { signal } : {}) })
    if (!isCarriedOut(grant, response.statusCode)) throw await toError(grant, response)
    return response
  }
  return {
    put: (grant, body, { signal }) =>
      translated(signal, async () => {
        const deadline = new Deadline(signal)
        try {
          const response = await send(
            grant,
            { 'content-length': String(body.length) },
            // That of undici runs from the beginning of the body to that of the answer.
            { body: slices(body, idleTimeoutMs, deadline), headersTimeout: 0 },
            deadline.signal,
          )
          deadline.reset(idleTimeoutMs)
          await response.body.dump()
        } finally {
          deadline.end()
        }
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
        const response = await send(grant, { range: `bytes=${range.offset}-${last}` }, {}, signal)
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

/** Asked for the next slice when the system has taken the one before. */
async function* slices(
  body: Uint8Array,
  idleTimeoutMs: number,
  deadline: Deadline,
): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < body.length; at += SLICE_BYTES) {
    deadline.reset(uploadTimeoutMs(idleTimeoutMs, at))
    yield body.subarray(at, at + SLICE_BYTES)
  }
  deadline.reset(uploadTimeoutMs(idleTimeoutMs, body.length))
}

/** Exactly the bytes that were asked for. */
async function readRange(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  range: ByteRange,
  into: Uint8Array | undefined,
): Promise<Uint8Array> {
  try {
    mustBeRange(
      {
        status: statusCode,
        contentRange: text(headers['content-range']),
        contentLength: text(headers['content-length']),
      },
      range,
    )
  } catch (error) {
    // The rest is not read; undici reports that as an error of the body.
    body.on('error', () => undefined).destroy()
    throw error
  }
  const collected = new RangeBody(range.length, statusCode, into)
  for await (const part of body as AsyncIterable<Uint8Array>) collected.add(part)
  return collected.end()
}

async function toError(
  grant: Grant,
  { statusCode, headers, body }: Dispatcher.ResponseData,
): Promise<SyncError> {
  const answer = {
    status: statusCode,
    text: await readText(body),
    retryAfter: text(headers['retry-after']),
  }
  return refusal(grant, answer, systemClock.nowMs())
}

const text = (header: string | string[] | undefined): string | undefined =>
  typeof header === 'string' ? header : undefined

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
