import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Connection, FRAME_BYTES_MAX, TransportError } from '@tidemark/protocol'
import { runTransportConformance, type TransportFixture } from '@tidemark/protocol/conformance'
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { type WebSocketTransportOptions, webSocketTransport } from '../src/browser/index.js'
import { webSocketListener } from '../src/index.js'

const PAGE = { WebSocket }
/** That of Node itself, from 22 on: no code of ours or of `ws` is in it. */
const OF_NODE = (globalThis as { WebSocket?: NonNullable<WebSocketTransportOptions['WebSocket']> }).WebSocket
const signal = () => new AbortController().signal

async function served(options: WebSocketTransportOptions): Promise<TransportFixture> {
  const server = createServer()
  const listener = webSocketListener({ server })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    transport: webSocketTransport(`ws://127.0.0.1:${port}`, options),
    listener,
    close: async () => {
      await listener.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

runTransportConformance('of a page, over ws', () => served(PAGE))
if (OF_NODE)
  runTransportConformance('of a page, over the WebSocket of Node', () => served({ WebSocket: OF_NODE }))

describe('the WebSocket of a page', () => {
  const closers: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close()
  })

  /** A bare server, and a page that dialled it. */
  async function dialled(): Promise<{ page: Connection; far: WebSocket }> {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', maxPayload: 64 * 1024 * 1024 })
    await once(server, 'listening')
    closers.push(async () => {
      for (const client of server.clients) client.terminate()
      await new Promise((resolve) => server.close(resolve))
    })
    const accepted = once(server, 'connection') as Promise<[WebSocket]>
    const { port } = server.address() as AddressInfo
    const page = await webSocketTransport(`ws://127.0.0.1:${port}`, PAGE).connect({ signal: signal() })
    const [far] = await accepted
    far.on('error', () => undefined)
    return { page, far }
  }

  const closedOf = (connection: Connection): Promise<Error | undefined> =>
    new Promise((resolve) => connection.open({ frame: () => undefined, closed: resolve }))

  test('a text frame ends the connection with a typed error', async () => {
    const { page, far } = await dialled()
    const closed = closedOf(page)
    far.send('text')
    expect(await closed).toBeInstanceOf(TransportError)
  })

  test('a frame over the limit ends the connection with a typed error', async () => {
    const { page, far } = await dialled()
    const closed = closedOf(page)
    far.send(Buffer.alloc(FRAME_BYTES_MAX + 1))
    expect(await closed).toBeInstanceOf(TransportError)
  })

  test('a page that takes nothing holds a bounded number of frames, and goes on with another connection', async () => {
    const { page, far } = await dialled()
    const closed = closedOf(page)
    page.pause()
    const frame = Buffer.alloc(FRAME_BYTES_MAX)
    for (let i = 0; i < 17; i++) far.send(frame)
    expect(await closed).toMatchObject({ message: expect.stringContaining('more came than could be taken') })
  })

  test('a peer that vanishes is an error, one that does not answer a close is left after a while', async () => {
    const first = await dialled()
    const vanished = closedOf(first.page)
    first.far.terminate()
    expect(await vanished).toBeInstanceOf(TransportError)
    const second = await dialled()
    const left = closedOf(second.page)
    second.far.pause()
    second.page.close('a reason with ünïcode, '.repeat(20))
    expect(await left).toBeUndefined()
  })

  test('a server that accepts and says nothing times out', async () => {
    const server = createServer()
    server.on('upgrade', (_request, socket) => closers.push(async () => void socket.destroy()))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    closers.push(() => new Promise((resolve) => server.close(resolve)))
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
    const connecting = webSocketTransport(url, { ...PAGE, connectTimeoutMs: 50 }).connect({
      signal: signal(),
    })
    await expect(connecting).rejects.toBeInstanceOf(TransportError)
  })
})
