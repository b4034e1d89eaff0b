import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { AccessError, type Connection, FRAME_BYTES_MAX, TransportError } from '@tidemark/protocol'
import { afterEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { webSocketListener, webSocketTransport } from '../src/index.js'
import { parseEndpoint } from '../src/url.js'

const closers: (() => Promise<unknown> | undefined)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A listener whose next connection is opened; `ended` tells how it closed. */
async function accepting() {
  const server = createServer()
  const listener = webSocketListener({ server })
  const url = await listening(server)
  closers.push(() => listener.close())
  const ended = new Promise<Error | undefined>((resolve) => {
    listener.onConnection((connection) => connection.open({ frame: () => undefined, closed: resolve }))
  })
  return { url, listener, ended }
}

const signal = () => new AbortController().signal

function closedOf(connection: Connection): Promise<Error | undefined> {
  return new Promise((resolve) => connection.open({ frame: () => undefined, closed: resolve }))
}

test('an endpoint takes http and ws, adds the path, and keeps credentials out of its label', () => {
  expect(parseEndpoint('http://user:pw@hub.example:8080')).toEqual({
    socketUrl: 'ws://hub.example:8080/sync',
    httpBase: 'http://hub.example:8080/',
    label: 'ws://hub.example:8080',
  })
  expect(parseEndpoint('wss://hub.example/a/sync').httpBase).toBe('https://hub.example/a/')
  expect(() => parseEndpoint('ftp://hub.example')).toThrow(TypeError)
})

test('a text frame ends the connection with a typed error', async () => {
  const { url, ended } = await accepting()
  const socket = new WebSocket(`${url.replace('http', 'ws')}/sync`)
  await once(socket, 'open')
  socket.send('text')
  expect(await ended).toBeInstanceOf(TransportError)
})

test('a frame over the limit ends the connection with a typed error', async () => {
  const { url, ended } = await accepting()
  const socket = new WebSocket(`${url.replace('http', 'ws')}/sync`)
  socket.on('error', () => undefined)
  await once(socket, 'open')
  socket.send(Buffer.alloc(FRAME_BYTES_MAX + 1))
  expect(await ended).toBeInstanceOf(TransportError)
})

test('a peer that vanishes without a close frame is an error', async () => {
  const { url, ended } = await accepting()
  const socket = new WebSocket(`${url.replace('http', 'ws')}/sync`)
  await once(socket, 'open')
  socket.terminate()
  expect(await ended).toBeInstanceOf(TransportError)
})

test('a listener that closes ends its connections', async () => {
  const { url, listener } = await accepting()
  const connection = await webSocketTransport(url).connect({ signal: signal() })
  const closed = closedOf(connection)
  await listener.close()
  expect(await closed).toBeInstanceOf(TransportError)
})

test('an HTTP answer instead of an upgrade is an error with the status', async () => {
  let status = 401
  const server = createServer()
  server.on('upgrade', (_request, socket) => socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\n\r\n`))
  const url = await listening(server)
  const transport = webSocketTransport(url)
  await expect(transport.connect({ signal: signal() })).rejects.toBeInstanceOf(AccessError)
  status = 404
  await expect(transport.connect({ signal: signal() })).rejects.toThrow('HTTP 404')
})

test('another path than the listener’s is refused', async () => {
  const { url } = await accepting()
  await expect(webSocketTransport(`${url}/other`).connect({ signal: signal() })).rejects.toThrow('HTTP 404')
})

test('a page is refused unless its origin is allowed; who sends no origin is not asked', async () => {
  const asked: string[] = []
  const server = createServer()
  const listener = webSocketListener({
    server,
    allowsOrigin: (origin) => {
      asked.push(origin)
      return origin === 'https://app.example'
    },
  })
  const url = await listening(server)
  closers.push(() => listener.close())
  const dial = (headers: Record<string, string>, at = url) =>
    webSocketTransport(at, { headers }).connect({ signal: signal() })
  await dial({ origin: 'https://app.example' })
  await expect(dial({ origin: 'https://evil.example' })).rejects.toMatchObject({ code: 'FORBIDDEN' })
  await expect(dial({ origin: 'null' })).rejects.toBeInstanceOf(AccessError)
  await dial({})
  expect(asked).toEqual(['https://app.example', 'https://evil.example', 'null'])
  const { url: other } = await accepting()
  await expect(dial({ origin: 'https://app.example' }, other)).rejects.toBeInstanceOf(AccessError)
})

test('a server that accepts and says nothing times out', async () => {
  const server = createServer()
  server.on('upgrade', (_request, socket) => closers.push(async () => void socket.destroy()))
  const url = await listening(server)
  const connecting = webSocketTransport(url, { connectTimeoutMs: 50 }).connect({ signal: signal() })
  await expect(connecting).rejects.toBeInstanceOf(TransportError)
})
