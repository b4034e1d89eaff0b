import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { type Connection, FRAME_BYTES_MAX, type Listener } from '@tidemark/protocol'
import { WebSocketServer } from 'ws'
import { WsConnection } from './ws-connection.js'

/** For whoever is refused to take the answer. */
const REFUSAL_MS = 1_000

export interface WebSocketListenerOptions {
  /** An HTTP server of the caller's; only upgrades to `path` are taken. */
  readonly server: Server
  /** @default '/sync' */
  readonly path?: string
  /**
   * Whether a web page of this origin may connect; others get 403. Programs that are no browsers send no origin,
   * and are not asked. @default no page may: any page that a user looks at can dial what the machine reaches
   */
  allowsOrigin?(origin: string): boolean
  /** Sockets at once; further ones get 503. @default 10,000: about 400 MiB at 40 KiB each. */
  readonly connectionsMax?: number
}

/** Accepts WebSocket connections on an HTTP server. `close` ends the sockets, not the HTTP server. */
export function webSocketListener(options: WebSocketListenerOptions): Listener {
  const { server, path = '/sync', connectionsMax = 10_000 } = options
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: FRAME_BYTES_MAX,
    clientTracking: true,
  })
  let closed = false
  const handlers = new Set<(connection: Connection) => void>()

  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // HTTP has taken its own listener away: without one whoever resets the connection would end the process.
    socket.on('error', () => socket.destroy())
    // Not parsed as a URL, which throws for some of what a stranger may send.
    const [requested] = (request.url ?? '').split('?', 1)
    if (requested !== path) return refuse(socket, 404)
    const { origin } = request.headers
    if (origin !== undefined && options.allowsOrigin?.(origin) !== true) return refuse(socket, 403)
    if (closed || sockets.clients.size >= connectionsMax) return refuse(socket, 503)
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const { remoteAddress, remotePort } = request.socket
      const connection = new WsConnection(webSocket, `ws peer ${remoteAddress}:${remotePort}`)
      for (const handle of handlers) handle(connection)
    })
  }
  server.on('upgrade', onUpgrade)

  return {
    onConnection: (handler) => void handlers.add(handler),
    close: async () => {
      // The handler stays: without one the HTTP server would leave late dialers hanging.
      closed = true
      for (const client of sockets.clients) client.terminate()
      await new Promise<void>((resolve) => sockets.close(() => resolve()))
    },
  }
}

/** HTTP keeps sockets half open: one that the other side does not end, or does not read, would stay. */
function refuse(socket: Duplex, status: number): void {
  const timer = setTimeout(() => socket.destroy(), REFUSAL_MS)
  socket.once('close', () => clearTimeout(timer)).once('finish', () => socket.destroy())
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
}
