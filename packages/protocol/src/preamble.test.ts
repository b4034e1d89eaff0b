import { describe, expect, test } from 'vitest'
import { utf8Encode } from './bytes.js'
import { checkPreamble, encodePreamble } from './preamble.js'

describe('preamble', () => {
  test('our own is accepted', () => {
    checkPreamble(encodePreamble())
  })

  test.each([
    ['nothing', new Uint8Array(), 'BAD_MAGIC'],
    ['HTTP', utf8Encode('GET / HTTP/1.1'), 'BAD_MAGIC'],
    ['magic without version', utf8Encode('TIDEMARK'), 'BAD_MAGIC'],
    ['one byte more', new Uint8Array([...encodePreamble(), 0]), 'BAD_MAGIC'],
    ['another magic', new Uint8Array([0, ...encodePreamble().subarray(1)]), 'BAD_MAGIC'],
    ['another major', new Uint8Array([...utf8Encode('TIDEMARK'), 2]), 'VERSION'],
  ])('%s is refused', (_, bytes, code) => {
    expect(() => checkPreamble(bytes)).toThrow(expect.objectContaining({ code }))
  })
})
