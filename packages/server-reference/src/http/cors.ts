import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Origins } from './origins.js'
import { sendProblem } from './problem.js'

/** What a page may send with a blob, and see of the answer, beyond what every page may. */
const ALLOWED = { methods: 'GET, PUT', headers: 'range, content-type' }
const EXPOSED = 'content-range, content-length, etag, retry-after, x-request-id'
/** How long a browser may remember what it was told, seconds: Chromium believes no more. */
const PREFLIGHT_SECONDS = 7_200

/**
 * Lets pages of other origins carry out grants (the CORS protocol of the Fetch standard). Without cookies: a
 * grant is all that counts.
 *
 * @returns true where the request was a preflight: it is answered.
 */
export function answerCors(request: IncomingMessage, response: ServerResponse, origins: Origins): boolean {
  const { origin } = request.headers
  const isPreflight =
    request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined
  response.setHeader('vary', 'Origin')
  const isAllowed = origin !== undefined && origins.allows(origin)
  if (isAllowed) {
    response.setHeader('access-control-allow-origin', origin)
    response.setHeader('access-control-expose-headers', EXPOSED)
  }
  if (!isPreflight) return false
  if (!isAllowed) {
    const detail = 'the hub was not told of this origin'
    sendProblem(request, response, { status: 403, code: 'ORIGIN_REFUSED', detail })
    return true
  }
  response.writeHead(204, {
    'access-control-allow-methods': ALLOWED.methods,
    'access-control-allow-headers': ALLOWED.headers,
    'access-control-max-age': String(PREFLIGHT_SECONDS),
  })
  response.end()
  return true
}
