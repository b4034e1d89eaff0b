import { type Connection, type Transport, TransportError } from '@tidemark/protocol'
import { parseEndpoint } from '../url.js'
import { PageConnection, type PageSocket } from './page-connection.js'

export interface WebSocketTransportOptions {
  /** Milliseconds from dial to open. @default 10,000: a TLS handshake over a bad line, not more. */
  readonly connectTimeoutMs?: number
  /** Another WebSocket than the page's. @default globalThis.WebSocket */
  readonly WebSocket?: new (
    url: string,
  ) => PageSocket
}

/**
 * Dials a hub by the WebSocket of a page, binary frames. A page is not told why it was refused: a wrong address,
 * a hub that does not let the page's origin in and one that is off are one `TransportError`.
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
  { connectTimeoutMs = 10_000, WebSocket = globalThis.WebSocket }: WebSocketTransportOptions,
  signal: AbortSignal,
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(new TransportError(`${label}: aborted`, { cause: signal.reason }))
      return
    }
    const socket = new WebSocket(url)
    socket.binaryType = 'arraybuffer'
    const settle = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      socket.onopen = null
      socket.onerror = null
      socket.onclose = null
    }
    const fail = (error: Error): void => {
      settle()
      // What it says of its end is not asked for any more.
      socket.onerror = () => undefined
      socket.close()
      reject(error)
    }
    const onAbort = (): void => fail(new TransportError(`${label}: aborted`, { cause: signal.reason }))
    const timer = setTimeout(
      () => fail(new TransportError(`${label}: no answer in ${connectTimeoutMs} ms`)),
      connectTimeoutMs,
    )
    signal.addEventListener('abort', onAbort, { once: true })
    const refused = (): void => fail(new TransportError(`${label}: no connection`))
    socket.onerror = refused
    socket.onclose = refused
    socket.onopen = () => {
      settle()
      resolve(new PageConnection(socket, label))
    }
  })
}
