import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** A TCP proxy in front of the hub that counts bytes and can cut every connection. */
export interface TcpProxy {
  readonly url: string
  /** Bytes that clients sent so far. */
  readonly upBytes: number
  /** Bytes that the hub sent so far. */
  readonly downBytes: number
  cut(): void
  close(): Promise<void>
}

export async function startProxy(target: { url: string }): Promise<TcpProxy> {
  const { hostname, port, protocol } = new URL(target.url)
  const sockets = new Set<Socket>()
  let up = 0
  let down = 0
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true)
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.on('data', (part) => {
      up += part.length
    })
    upstream.on('data', (part) => {
      down += part.length
    })
    client.pipe(upstream)
    upstream.pipe(client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
  return {
    url: `${protocol}//127.0.0.1:${address.port}`,
    get upBytes() {
      return up
    },
    get downBytes() {
      return down
    },
    cut: () => {
      for (const socket of sockets) socket.destroy()
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
