import type { AddressInfo } from 'node:net'
import { createServer, type Server, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { seededBytes } from '../../test/bytes.js'
import { RangeReader } from './range-reader.js'

const BLOB = seededBytes(7, 3_000_000)

let server: Server
let sockets: Socket[]
let requests: string[]
let answer: (socket: Socket, request: string) => void
let reader: RangeReader
let url: URL

beforeEach(async () => {
  sockets = []
  requests = []
  answer = serveRange
  server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      requests.push(bytes.toString('latin1'))
      answer(socket, requests.at(-1)!)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/blobs/a?sig=1`)
  reader = new RangeReader({ connectionsMax: 2, idleTimeoutMs: 300 })
})

afterEach(async () => {
  reader.close()
  for (const socket of sockets) socket.destroy()
  await new Promise((resolve) => server.close(resolve))
})

const rangeOf = (request: string): [number, number] => {
  const [, first, last] = /range: bytes=(\d+)-(\d+)\r\n/.exec(request)!
  return [Number(first), Number(last)]
}

const headOf = (first: number, last: number): string =>
  `HTTP/1.1 206 Partial Content\r\ncontent-length: ${last - first + 1}\r\n` +
  `content-range: bytes ${first}-${last}/${BLOB.length}\r\n\r\n`

function serveRange(socket: Socket, request: string): void {
  const [first, last] = rangeOf(request)
  socket.write(Buffer.concat([Buffer.from(headOf(first, last)), BLOB.subarray(first, last + 1)]))
}

const read = async (
  offset: number,
  length: number,
  signal?: AbortSignal,
): Promise<Uint8Array | undefined> => {
  const into = new Uint8Array(length)
  return (await reader.read(url, { 'x-kept': 'yes' }, { offset, length }, into, signal)) ? into : undefined
}

const expectRange = async (offset: number, length: number): Promise<void> =>
  expect(Buffer.from((await read(offset, length))!).equals(BLOB.subarray(offset, offset + length))).toBe(true)

test('ranges stand in the memory that was given, one after the other over one connection', async () => {
  for (const [offset, length] of [
    [0, 2_097_152],
    [5, 1],
    [1_000_000, 2_000_000],
    [2_999_999, 1],
  ] as const)
    await expectRange(offset, length)
  expect(sockets).toHaveLength(1)
  expect(requests[0]).toBe(
    `GET /blobs/a?sig=1 HTTP/1.1\r\nx-kept: yes\r\nhost: ${url.host}\r\n` +
      'connection: keep-alive\r\nrange: bytes=0-2097151\r\n\r\n',
  )
})

test('a head and a body that come byte by byte, or cut anywhere, are the same range', async () => {
  for (const step of [1, 7, 100]) {
    answer = async (socket, request) => {
      const [first, last] = rangeOf(request)
      const bytes = Buffer.concat([Buffer.from(headOf(first, last)), BLOB.subarray(first, last + 1)])
      socket.setNoDelay(true)
      for (let at = 0; at < bytes.length; at += step) {
        socket.write(bytes.subarray(at, at + step))
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    await expectRange(1234, 300)
  }
})

test('two ranges at once have two connections; a third is left to somebody else', async () => {
  const three = [read(0, 1_000_000), read(1_000_000, 1_000_000), read(2_000_000, 1_000_000)]
  const results = await Promise.all(three)
  expect(results.map((bytes) => bytes?.length)).toEqual([1_000_000, 1_000_000, undefined])
  expect(sockets).toHaveLength(2)
  await expectRange(2_000_000, 1_000_000)
  expect(sockets).toHaveLength(2)
})

test.each<[string, typeof answer]>([
  ['another answer', (socket) => socket.write('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n')],
  ['less than the range', (socket) => socket.end(`${headOf(0, 99)}abc`)],
  ['a head that does not end', (socket) => socket.write('HTTP/1.1 206 x\r\n'.padEnd(20_000, 'x'))],
  ['more in one piece than the range', (socket) => socket.write(headOf(0, 99) + 'x'.repeat(101))],
  ['silence', () => undefined],
  ['silence in the middle', (socket) => socket.write(`${headOf(0, 99)}abc`)],
  ['a cut', (socket) => socket.destroy()],
  ['a broken cut', (socket) => socket.resetAndDestroy()],
])('%s is no range, and its connection is not used again', async (_, behaviour) => {
  answer = behaviour
  expect(await read(0, 100)).toBeUndefined()
  answer = serveRange
  await expectRange(0, 100)
  expect(sockets).toHaveLength(2)
})

test('what comes behind a range ends the connection', async () => {
  answer = (socket, request) => {
    serveRange(socket, request)
    setTimeout(() => socket.write('more'), 20)
  }
  await expectRange(0, 100)
  await delay(100)
  answer = serveRange
  await expectRange(100, 100)
  expect(sockets).toHaveLength(2)
})

test('a connection that the store closed meanwhile is not used again', async () => {
  await expectRange(0, 100)
  sockets[0]!.end()
  await delay(50)
  await expectRange(100, 100)
  expect(sockets).toHaveLength(2)
})

test('nobody there is no range', async () => {
  const nobody = new URL('http://127.0.0.1:1/x')
  expect(await reader.read(nobody, {}, { offset: 0, length: 1 }, new Uint8Array(1), undefined)).toBe(false)
})

test('an aborted request ends at once, and nothing is written to its memory any more', async () => {
  const abort = new AbortController()
  answer = (socket, request) => {
    const [first, last] = rangeOf(request)
    socket.write(headOf(first, last))
    abort.abort()
    setTimeout(() => socket.write(BLOB.subarray(0, 100)), 20)
  }
  const into = new Uint8Array(100)
  const range = { offset: 0, length: 100 }
  expect(await reader.read(url, {}, range, into, abort.signal)).toBe(false)
  await delay(60)
  expect(into).toEqual(new Uint8Array(100))
  expect(await reader.read(url, {}, range, into, abort.signal)).toBe(false)
})

test('a header that would be another line is not sent', async () => {
  const range = { offset: 0, length: 1 }
  expect(await reader.read(url, { x: 'a\r\nb: c' }, range, new Uint8Array(1), undefined)).toBe(false)
  expect(await reader.read(url, { 'a b': 'c' }, range, new Uint8Array(1), undefined)).toBe(false)
  expect(requests).toEqual([])
})

test('a closed reader ends what runs', async () => {
  answer = () => reader.close()
  expect(await read(0, 100)).toBeUndefined()
})
