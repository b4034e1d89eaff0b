import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HubCounts } from '../hub-engine.js'
import type { Logger } from '../logger.js'
import { answerCors } from './cors.js'
import { sendMetrics } from './metrics.js'
import type { Origins } from './origins.js'
import { sendJson, sendProblem } from './problem.js'

/** Where grants of the hub's own store lead. */
const BLOBS_PATH = '/blobs/'

export interface Routes {
  /** @returns false where the request is none of its own. */
  readonly handleBlobRequest: (request: IncomingMessage, response: ServerResponse) => Promise<boolean>
  /** The pages that may carry out grants. */
  readonly origins: Origins
  /** Whether new work is welcome; a reason where it is not. */
  readonly notReady: () => string | undefined
  readonly counts: () => Promise<HubCounts>
  readonly logger: Logger
}

/** The hub's HTTP routes: `/healthz`, `/readyz`, `/metrics`, blobs. `/sync` is an upgrade and does not come here. */
export function httpRoutes(routes: Routes): (request: IncomingMessage, response: ServerResponse) => void {
  let requests = 0
  return (request, response) => {
    const id = `r${++requests}`
    response.setHeader('x-request-id', id)
    // Queries of blob requests hold signatures: only the path is ever logged.
    const path = (request.url ?? '').split('?', 1)[0]!
    const logger = routes.logger.child({ request: id, method: request.method, path })
    response.once('close', () => {
      logger.debug('http-request', { status: response.statusCode, complete: response.writableFinished })
    })
    route(routes, path, request, response).catch((error: unknown) => {
      logger.error('http-failed', { error })
      sendProblem(request, response, { status: 500, code: 'INTERNAL', detail: 'the hub failed' })
    })
  }
}

async function route(
  routes: Routes,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (path === '/healthz' || path === '/readyz' || path === '/metrics') {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      sendProblem(request, response, {
        status: 405,
        code: 'METHOD_NOT_ALLOWED',
        detail: `${request.method} is not allowed here`,
        headers: { allow: 'GET, HEAD' },
      })
      return
    }
    if (path === '/metrics') return sendMetrics(request, response, await routes.counts())
    const reason = path === '/readyz' ? routes.notReady() : undefined
    if (reason === undefined) sendJson(request, response, 200, { status: 'ok' })
    else sendProblem(request, response, { status: 503, code: 'NOT_READY', detail: reason })
    return
  }
  if (path.startsWith(BLOBS_PATH) && answerCors(request, response, routes.origins)) return
  if (await routes.handleBlobRequest(request, response)) return
  if (path === '/sync') {
    sendProblem(request, response, {
      status: 426,
      code: 'UPGRADE_REQUIRED',
      detail: 'this path speaks WebSocket',
      headers: { upgrade: 'websocket', connection: 'upgrade' },
    })
    return
  }
  sendProblem(request, response, { status: 404, code: 'NOT_FOUND', detail: 'there is nothing at this path' })
}
