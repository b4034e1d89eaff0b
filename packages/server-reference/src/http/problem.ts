import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'

/** A problem document (RFC 9457): `code` is stable, `detail` is for a person. */
export interface Problem {
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly headers?: Readonly<Record<string, string>>
}

export function sendProblem(request: IncomingMessage, response: ServerResponse, problem: Problem): void {
  const { status, code, detail, headers } = problem
  send(
    request,
    response,
    status,
    { title: STATUS_CODES[status], status, code, detail },
    {
      ...headers,
      'content-type': 'application/problem+json',
    },
  )
}

export function sendJson(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  value: unknown,
): void {
  send(request, response, status, value, { 'content-type': 'application/json', 'cache-control': 'no-store' })
}

/** @param value Text as it is; anything else as JSON. */
export function send(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>>,
): void {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  const body = Buffer.from(typeof value === 'string' ? value : `${JSON.stringify(value)}\n`)
  response.writeHead(status, { ...headers, 'content-length': body.length })
  response.end(request.method === 'HEAD' ? undefined : body)
}
