import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { type Connection, FRAME_BYTES_MAX, TransportError } from '@tidemark/protocol'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { tcpListener } from '../src/tcp-listener.js'

let server: Server
let port: number
let ended: Promise<Error | undefined>
const frames: Uint8Array[] = []

beforeEach(async () => {
  frames.length = 0
  server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
  const { promise, resolve } = withResolvers<Error | undefined>()
  ended = promise
  tcpListener(server).onConnection((connection: Connection) =>
    connection.open({ frame: (bytes) => void frames.push(bytes), closed: resolve }),
  )
})
afterEach(() => void server.close())

function withResolvers<T>() {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((given) => {
    resolve = given
  })
  return { promise, resolve }
}

/** Somebody who is no peer of ours. */
function say(bytes: Uint8Array): void {
  connect(port, '127.0.0.1')
    .on('error', () => undefined)
    .end(bytes)
}

test('a frame that would be too long ends the connection before it is read', async () => {
  const head = Buffer.alloc(4)
  head.writeUInt32BE(FRAME_BYTES_MAX + 1)
  say(head)
  expect(await ended).toBeInstanceOf(TransportError)
  expect(frames).toEqual([])
})

test('the largest length that can be said ends the connection, not the process', async () => {
  say(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1, 2, 3))
  expect(await ended).toBeInstanceOf(TransportError)
})

test('half a frame is delivered to nobody', async () => {
  say(Uint8Array.of(0, 0, 0, 2, 1, 2, 0, 0, 0, 5, 1, 2))
  await ended
  expect(frames.map((frame) => [...frame])).toEqual([[1, 2]])
})
