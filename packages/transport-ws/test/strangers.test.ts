import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { webSocketListener } from '../src/index.js'

let server: Server
let port: number
const failures: unknown[] = []
const onFailure = (error: unknown) => void failures.push(error)
beforeEach(async () => {
  failures.length = 0
  process.on('uncaughtException', onFailure)
  server = createServer()
  webSocketListener({ server })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})
afterEach(() => {
  process.off('uncaughtException', onFailure)
  server.closeAllConnections()
  server.close()
})

const upgrade = (path: string, origin = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\n${origin}Connection: Upgrade\r\nUpgrade: websocket\r\n` +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'

async function answerTo(request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write(request)
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return bytes.toString().split('\r\n')[0]!
}

test('[SE1] a path that is no URL is another path than the one for sessions', async () => {
  for (const path of ['//', '/\\', '/%', '/sync/', '*', 'http://[', '/sync%00']) {
    expect(await answerTo(upgrade(path)), path).toMatch(/^HTTP\/1\.1 40[04] /)
  }
  expect(await answerTo(upgrade('/sync?a=//'))).toMatch(/ 101 /)
  expect(failures).toEqual([])
})

test('[SE1] one who is refused, and is gone already, is no failure of the server', async () => {
  for (let i = 0; i < 100; i++) {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => undefined)
    await once(socket, 'connect')
    socket.write(upgrade('/sync', 'Origin: http://elsewhere.example\r\n'))
    if (i % 2 > 0) await delay(1)
    const closed = once(socket, 'close')
    socket.resetAndDestroy()
    await closed
  }
  await delay(100)
  expect(failures).toEqual([])
})

const connections = (): Promise<number> =>
  new Promise((resolve) => server.getConnections((_, count) => resolve(count)))

test('[SE1] one who is refused does not keep the connection, nor the server from closing', async () => {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.write(upgrade('/elsewhere'))
  await once(socket, 'data')
  await expect.poll(connections).toBe(0)
  const closed = once(server, 'close')
  server.close()
  await closed
  socket.destroy()
})

test('[SE1] one who is refused, and does not read it, does not keep the connection', async () => {
  server.on('request', (_request, response) => response.end(Buffer.alloc(32 * 1024 * 1024)))
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => undefined)
  socket.pause()
  socket.write(`GET / HTTP/1.1\r\nHost: x\r\n\r\n${upgrade('/elsewhere')}`)
  await once(server, 'upgrade')
  await expect.poll(connections, { timeout: 5_000 }).toBe(0)
  socket.destroy()
})
