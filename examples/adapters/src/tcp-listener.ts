import { once } from 'node:events'
import type { Server, Socket } from 'node:net'
import type { Listener } from '@tidemark/protocol'
import { tcpConnection } from './tcp-transport.js'

/** @param server Of `net.createServer({ noDelay: true })`. Whoever makes it lets it listen. */
export function tcpListener(server: Server): Listener {
  const sockets = new Set<Socket>()
  return {
    onConnection: (accept) => {
      server.on('connection', (socket) => {
        sockets.add(socket.on('close', () => sockets.delete(socket)))
        accept(tcpConnection(socket, `tcp peer ${socket.remoteAddress}:${socket.remotePort}`))
      })
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      if (server.listening) await once(server.close(), 'close')
    },
  }
}
