import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import {
  BlobMismatchError,
  BlobNotFoundError,
  GrantExpiredError,
  LimitError,
  StoreError,
} from '@tidemark/protocol'
import { GrantRefusedError } from './grant-signer.js'

/** An answer that is no success. */
export class HttpError extends Error {
  override readonly name = 'HttpError'
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message)
  }
}

/**
 * Answers with a problem document (RFC 9457): `title`, `status`, and the members `code` (stable) and
 * `message` (free). Where the answer has begun, or nobody is there, the connection is cut instead.
 */
export function answerError(
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
  onError: ((error: unknown) => void) | undefined,
): void {
  const { status, code, message, headers } = toHttpError(error)
  // A request is destroyed, too, when its body was read to the end.
  const gone = response.destroyed || (request.destroyed && !request.complete)
  if (status >= 500 && !gone) onError?.(error)
  if (response.headersSent || gone) {
    response.destroy()
    return
  }
  const body = Buffer.from(JSON.stringify({ title: STATUS_CODES[status], status, code, message }))
  response.writeHead(status, {
    ...headers,
    'content-type': 'application/problem+json',
    'content-length': body.length,
  })
  response.end(request.method === 'HEAD' ? undefined : body)
  // The rest of a body that nobody wants: at most BLOB_BYTES_MAX, longer ones were told to close.
  if (headers.connection !== 'close') request.resume()
}

function toHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error
  if (error instanceof GrantRefusedError) {
    return new HttpError(error.reason === 'NOT_FOUND' ? 404 : 403, error.reason, error.message)
  }
  if (error instanceof GrantExpiredError) return new HttpError(410, error.code, error.message)
  if (error instanceof BlobMismatchError) return new HttpError(400, error.code, error.message)
  if (error instanceof BlobNotFoundError) return new HttpError(404, error.code, error.message)
  if (error instanceof LimitError) return new HttpError(413, error.code, error.message)
  if (error instanceof StoreError) {
    return new HttpError(error.status ?? 503, error.code, error.message, { 'retry-after': '1' })
  }
  return new HttpError(500, 'INTERNAL', 'the server failed')
}
