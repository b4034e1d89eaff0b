import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A TCP line to a server, on which each connection sends no faster than it is told. */
export class SlowLine {
  /** Bytes a millisecond that a client sends. */
  upBytesPerMs = Number.POSITIVE_INFINITY
  readonly #sockets = new Set<Socket>()
  readonly #server = createServer((client) => this.#join(client))

  constructor(private readonly port: number) {}

  /** @returns its port on 127.0.0.1. */
  async open(): Promise<number> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return (this.#server.address() as AddressInfo).port
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #join(client: Socket): void {
    const upstream = connect(this.port, '127.0.0.1')
    for (const socket of [client, upstream]) {
      this.#sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        this.#sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.on('data', (part) => {
      upstream.write(part)
      client.pause()
      setTimeout(() => client.resume(), part.length / this.upBytesPerMs)
    })
    upstream.pipe(client)
  }
}
