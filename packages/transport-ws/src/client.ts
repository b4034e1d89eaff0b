import {
  AccessError,
  type Connection,
  FRAME_BYTES_MAX,
  type Transport,
  TransportError,
} from '@tidemark/protocol'
import { WebSocket } from 'ws'
import { parseEndpoint } from './url.js'
import { WsConnection } from './ws-connection.js'

export interface WebSocketTransportOptions {
  /** Milliseconds from dial to open. @default 10,000: a TLS handshake over a bad line, not more. */
  readonly connectTimeoutMs?: number
  /** Sent with the upgrade request, for proxies. The token of the protocol travels in HELLO, not here. */
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * Dials a hub over WebSocket (RFC 6455), binary frames, without compression.
 *
 * @param url ws, wss, http or https; `/sync` is appended when there is no path.
 * @throws {TypeError} not such a URL.
 */
export function webSocketTransport(url: string, options: WebSocketTransportOptions = {}): Transport {
  const endpoint = parseEndpoint(url)
  return {
    label: endpoint.label,
    httpBase: endpoint.httpBase,
    connect: ({ signal }) => dial(endpoint.socketUrl, endpoint.label, options, signal),
  }
}

function dial(
  url: string,
  label: string,
  { connectTimeoutMs = 10_000, headers = {} }: WebSocketTransportOptions,
  signal: AbortSignal,
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(new TransportError(`${label}: aborted`, { cause: signal.reason }))
      return
    }
    const socket = new WebSocket(url, {
      perMessageDeflate: false,
      maxPayload: FRAME_BYTES_MAX,
      handshakeTimeout: connectTimeoutMs,
      headers: { ...headers },
    })
    const fail = (error: Error) => {
      signal.removeEventListener('abort', onAbort)
      socket.removeAllListeners()
      socket.on('error', () => undefined)
      socket.terminate()
      reject(error)
    }
    const onAbort = () => fail(new TransportError(`${label}: aborted`, { cause: signal.reason }))
    signal.addEventListener('abort', onAbort, { once: true })
    socket.once('unexpected-response', (_request, response) => {
      const status = response.statusCode ?? 0
      response.resume()
      if (status === 401) fail(new AccessError('UNAUTHENTICATED', `${label}: HTTP 401`))
      else if (status === 403) fail(new AccessError('FORBIDDEN', `${label}: HTTP 403`))
      else fail(new TransportError(`${label}: expected a WebSocket, got HTTP ${status}`))
    })
    socket.once('error', (error) => fail(new TransportError(`${label}: ${error.message}`, { cause: error })))
    socket.once('open', () => {
      signal.removeEventListener('abort', onAbort)
      socket.removeAllListeners('error')
      socket.removeAllListeners('unexpected-response')
      resolve(new WsConnection(socket, label))
    })
  })
}
