import { describe, expect, test } from 'vitest'
import { bytesToHex, hexToBytes } from '../bytes.js'
import { DecodeError, LimitError } from '../errors.js'
import { NESTING_MAX } from '../limits.js'
import { WireReader } from './wire-reader.js'
import { WireWriter } from './wire-writer.js'

const EDGES = [0, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER]
const NEGATIVE = [
  -1,
  -0x20,
  -0x21,
  -0x80,
  -0x81,
  -0x8000,
  -0x8001,
  -(2 ** 31),
  -(2 ** 31) - 1,
  -(2 ** 32),
  -(2 ** 53) + 1,
]

describe('the MessagePack subset', () => {
  test.each([...EDGES, ...NEGATIVE])('%d is read back, and has one form', (value) => {
    const writer = new WireWriter()
    writer.int(value)
    const bytes = writer.take()
    expect(new WireReader(bytes).int('value')).toBe(value)
    expect(bytes.length).toBeLessThanOrEqual(9)
  })

  test.each([
    ['cc7f', 'an 8-bit integer that fits 7'],
    ['cd00ff', 'a 16-bit integer that fits 8'],
    ['ce0000ffff', 'a 32-bit integer that fits 16'],
    ['cf00000000ffffffff', 'a 64-bit integer that fits 32'],
    ['cf0020000000000000', 'an integer of 54 bits'],
    ['d0ff', 'an 8-bit negative that fits 5'],
    ['d07f', 'a positive in a signed form'],
    ['d1ff80', 'a 16-bit negative that fits 8'],
    ['d2ffff8000', 'a 32-bit negative that fits 16'],
    ['d3ffffffff80000000', 'a 64-bit negative that fits 32'],
    ['d3ffe0000000000000', 'a negative of 54 bits'],
    ['d90161', 'a text length in 8 bits that fits 5'],
    ['da000161', 'a text length in 16 bits that fits 8'],
    ['c5000161', 'a bytes length in 16 bits that fits 8'],
    ['dc0001c0', 'an array length in 16 bits that fits 4'],
    ['de000101c0', 'a map length in 16 bits that fits 4'],
    ['c1', 'the tag that is never used'],
    ['ca00000000', 'a float'],
    ['cb0000000000000000', 'a double'],
    ['d4ff00', 'an extension'],
    ['d6ff00000000', 'a timestamp'],
    ['c70101ff', 'a long extension'],
    ['a1ff', 'text that is not UTF-8'],
    ['a3eda080', 'text with a surrogate'],
    ['8200c001c0', 'a map key of 0'],
    ['8202c001c0', 'map keys out of order'],
    ['8201c001c0', 'a map key twice'],
    ['81a161c0', 'a text key'],
    ['', 'nothing'],
    ['92c0', 'an array cut off'],
    ['c6ffffffff', '4 GiB of bytes that are not there'],
    ['dbffffffff', '4 GiB of text that are not there'],
    ['ddffffffff', '4 Gi items that are not there'],
    ['dfffffffff', '4 Gi fields that are not there'],
  ])('%s is refused: %s', (hex) => {
    expect(() => new WireReader(hexToBytes(hex)).raw('value', 1_000)).toThrow(DecodeError)
  })

  test('nesting is bounded', () => {
    const nested = (depth: number) => hexToBytes(`${'91'.repeat(depth)}c0`)
    expect(new WireReader(nested(NESTING_MAX - 1)).raw('value', 1_000).length).toBe(NESTING_MAX)
    expect(() => new WireReader(nested(NESTING_MAX)).raw('value', 1_000)).toThrow(DecodeError)
    expect(() => new WireReader(nested(100_000)).raw('value', 1_000_000)).toThrow(DecodeError)
  })

  test('a bound that the caller names is a LimitError', () => {
    expect(() => new WireReader(hexToBytes('a3616263')).text('value', 2)).toThrow(LimitError)
    expect(() => new WireReader(hexToBytes('93c0c0c0')).arrayHeader('value', 2)).toThrow(LimitError)
    expect(() => new WireReader(hexToBytes('05')).uint('value', 4)).toThrow(LimitError)
  })

  test('a writer that threw in the middle is clean after reset, and a long value does not stay', () => {
    const writer = new WireWriter()
    writer.uint(1)
    writer.reset()
    writer.bytes(new Uint8Array(1_000_000))
    expect(writer.take().length).toBe(1_000_005)
    writer.uint(7)
    expect(bytesToHex(writer.take())).toBe('07')
  })
})
