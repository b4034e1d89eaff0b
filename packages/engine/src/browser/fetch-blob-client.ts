import type { BlobClient, ByteRange, Grant, SyncError } from '@tidemark/protocol'
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
import { unshared } from '../adapters/unshared.js'
import { Budget } from '../memory/budget.js'
import { systemClock } from './system-clock.js'

export interface FetchBlobClientOptions {
  /** What relative grants are resolved against: the URL that was dialled; ws and wss become http and https. */
  readonly baseUrl: string
  /**
   * Requests at once. Those that wait in the browser would wait within their deadlines.
   * @default 6: connections that browsers open to one origin
   */
  readonly connectionsMax?: number
  /**
   * Silence after which a download is given up, milliseconds. An upload has this time, and a second more for
   * each 16 KB. @default 30,000
   */
  readonly idleTimeoutMs?: number
}

/** Blobs over HTTP. Never retries. Close it when it is not needed any more. */
export interface FetchBlobClient extends BlobClient {
  close(): Promise<void>
}

/**
 * Grants carried out by the page's `fetch`: without cookies, referrer or cache. A store of another origin must
 * allow PUT, GET and the header `range`, and expose `content-range` (CORS).
 *
 * @throws {TypeError} `baseUrl` is no URL.
 */
export function fetchBlobClient(options: FetchBlobClientOptions): FetchBlobClient {
  const base = httpUrl(options.baseUrl)
  const { connectionsMax = 6, idleTimeoutMs = 30_000 } = options
  const connections = new Budget(Number.POSITIVE_INFINITY, connectionsMax)
  const closed = new AbortController()

  /** @param use Reads the answer; what it leaves is not read. */
  const send = async <T>(
    grant: Grant,
    request: RequestInit,
    { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal | undefined },
    use: (response: Response, deadline: Deadline) => Promise<T>,
  ): Promise<T> => {
    const ends = signal ? AbortSignal.any([signal, closed.signal]) : closed.signal
    const release = await connections.take(0, ends)
    const deadline = new Deadline(ends)
    deadline.reset(timeoutMs)
    try {
      const response = await fetch(new URL(grant.url, base), {
        ...request,
        method: grant.method,
        signal: deadline.signal,
        redirect: 'manual',
        credentials: 'omit',
        cache: 'no-store',
        referrerPolicy: 'no-referrer',
      })
      deadline.reset(idleTimeoutMs)
      if (!isCarriedOut(grant, response.status) || response.type === 'opaqueredirect') {
        throw await toError(grant, response, deadline)
      }
      return await use(response, deadline)
    } finally {
      deadline.end()
      release()
    }
  }

  return {
    put: (grant, body, { signal }) =>
      translated(signal, () =>
        send(
          grant,
          { headers: { ...grant.headers }, body: unshared(body) },
          // `fetch` does not say how far an upload is.
          { timeoutMs: uploadTimeoutMs(idleTimeoutMs, body.length), signal },
          drain,
        ),
      ),
    get: (grant, range, { signal, into }) =>
      translated(signal, async () => {
        if (range.length === 0) return new Uint8Array()
        const last = range.offset + range.length - 1
        return send(
          grant,
          { headers: { ...grant.headers, range: `bytes=${range.offset}-${last}` } },
          { timeoutMs: idleTimeoutMs, signal },
          (response, deadline) => readRange(response, range, into, () => deadline.reset(idleTimeoutMs)),
        )
      }),
    close: async () => closed.abort(new Error('the client was closed')),
  }
}

/** Read to its end: the connection can be used again. */
async function drain(response: Response): Promise<void> {
  const parts = partsOf(response)
  while (!(await parts.next()).done);
}

/** Exactly the bytes that were asked for. */
async function readRange(
  response: Response,
  range: ByteRange,
  into: Uint8Array | undefined,
  onPart: () => void,
): Promise<Uint8Array> {
  const { status, headers } = response
  mustBeRange(
    {
      status,
      contentRange: headers.get('content-range') ?? undefined,
      contentLength: headers.get('content-length') ?? undefined,
    },
    range,
  )
  const collected = new RangeBody(range.length, status, into)
  for await (const part of partsOf(response)) {
    collected.add(part)
    onPart()
  }
  return collected.end()
}

async function toError(grant: Grant, response: Response, deadline: Deadline): Promise<SyncError> {
  const answer = {
    status: response.status,
    text: await readText(response),
    retryAfter: response.headers.get('retry-after') ?? undefined,
  }
  deadline.signal.throwIfAborted()
  return refusal(grant, answer, systemClock.nowMs())
}

async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let length = 0
  for await (const part of partsOf(response)) {
    text += decoder.decode(part, { stream: true })
    length += part.length
    if (length >= PROBLEM_BYTES_MAX) break
  }
  return text.slice(0, PROBLEM_BYTES_MAX)
}

/** Not every browser iterates streams by itself. Leaving the loop ends the answer. */
async function* partsOf(response: Response): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader()
  if (!reader) return
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}
