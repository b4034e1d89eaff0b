import { describe, expect, test } from 'vitest'
import {
  bytesToHex,
  compareBytes,
  concatBytes,
  equalBytes,
  hexToBytes,
  utf8Decode,
  utf8Encode,
} from './bytes.js'
import { DecodeError } from './errors.js'

describe('bytes', () => {
  test('hex of every byte value reads back as that byte', () => {
    const all = Uint8Array.from({ length: 256 }, (_, i) => i)
    expect(hexToBytes(bytesToHex(all))).toEqual(all)
    expect(bytesToHex(Uint8Array.of(0, 15, 16, 255))).toBe('000f10ff')
  })

  test.each(['0', 'AB', 'g0', '0g', 'é0', ' 0'])('hexToBytes refuses %j', (text) => {
    expect(() => hexToBytes(text)).toThrow(TypeError)
  })

  test('compareBytes is the order of memcmp, the shorter first', () => {
    const sorted = [[], [0], [0, 0], [0, 255], [1], [255]].map((list) => Uint8Array.from(list))
    expect([...sorted].reverse().sort(compareBytes)).toEqual(sorted)
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true)
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1))).toBe(false)
  })

  test('concatBytes keeps the order', () => {
    expect(concatBytes([Uint8Array.of(1), new Uint8Array(), Uint8Array.of(2, 3)])).toEqual(
      Uint8Array.of(1, 2, 3),
    )
  })

  test('a byte order mark is text like any other, and bytes that are not UTF-8 are refused', () => {
    expect(utf8Decode(utf8Encode('\ufeffa'))).toBe('\ufeffa')
    expect(() => utf8Decode(Uint8Array.of(0xc3))).toThrow(DecodeError)
  })
})
