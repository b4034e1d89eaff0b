import { expect, test } from 'vitest'
import { isExactRange } from './range-head.js'

const RANGE = { offset: 10, length: 5 }
const head = (...lines: string[]): string =>
  ['HTTP/1.1 206 Partial Content', 'Content-Length: 5', 'content-range: bytes 10-14/100', ...lines].join(
    '\r\n',
  )

test('a head that announces the range is one, whatever else it says', () => {
  expect(isExactRange(head(), RANGE)).toBe(true)
  expect(isExactRange(head('vary: Origin', 'vary: Accept-Encoding'), RANGE)).toBe(true)
  expect(isExactRange(head('connection: Keep-Alive', 'etag: "a:b"', 'x:'), RANGE)).toBe(true)
})

test.each([
  ['the whole', head().replace('206 Partial Content', '200 OK')],
  ['a failure', head().replace('206 Partial Content', '403 Forbidden')],
  ['an older version, which ends its connection', head().replace('1.1', '1.0')],
  ['another start', head().replace('10-14', '9-14')],
  ['another end', head().replace('10-14', '10-140')],
  ['another length', head().replace('Content-Length: 5', 'Content-Length: 50')],
  ['no length', head().replace('Content-Length: 5', 'x: 5')],
  ['two lengths', head('content-length: 5')],
  ['a body in pieces', head('transfer-encoding: chunked')],
  ['a body that is packed', head('content-encoding: gzip')],
  ['a connection that ends', head('Connection: close')],
  ['a line without a colon', head('content-length 5')],
  ['a folded line', head(' more: x')],
  ['nothing', ''],
])('%s is not the range', (_, text) => {
  expect(isExactRange(text, RANGE)).toBe(false)
})
