import { DecodeError } from './errors.js'

const CODE_OF_NIBBLE = Uint8Array.from({ length: 16 }, (_, nibble) => nibble.toString(16).charCodeAt(0))
/** Bytes whose digits become text in one call: an argument each, which a stack must hold. */
const HEX_BYTES_AT_ONCE = 32
const NIBBLE_OF_CODE = new Uint8Array(128).fill(255)
for (let i = 0; i < 16; i++) NIBBLE_OF_CODE[i.toString(16).charCodeAt(0)] = i

/** Lower-case hex. From codes, not by joining strings: ids are keys of maps, and a joined string is not flat. */
export function bytesToHex(bytes: Uint8Array): string {
  let out = ''
  for (let start = 0; start < bytes.length; start += HEX_BYTES_AT_ONCE) {
    const count = Math.min(HEX_BYTES_AT_ONCE, bytes.length - start)
    const codes = new Array<number>(2 * count)
    for (let i = 0; i < count; i++) {
      const byte = bytes[start + i]!
      codes[2 * i] = CODE_OF_NIBBLE[byte >>> 4]!
      codes[2 * i + 1] = CODE_OF_NIBBLE[byte & 15]!
    }
    out += String.fromCharCode(...codes)
  }
  return out
}

/** @throws {TypeError} not an even number of lower-case hex digits. */
export function hexToBytes(hex: string): Uint8Array {
  const out = new Uint8Array(hex.length >>> 1)
  writeHex(hex, out, 0)
  return out
}

/** Writes the bytes of `hex` at `offset`. @throws {TypeError} not an even number of lower-case hex digits. */
export function writeHex(hex: string, into: Uint8Array, offset: number): void {
  if (hex.length % 2 !== 0) throw new TypeError('hex: odd number of digits')
  for (let i = 0; i < hex.length; i += 2) {
    const high = NIBBLE_OF_CODE[hex.charCodeAt(i)] ?? 255
    const low = NIBBLE_OF_CODE[hex.charCodeAt(i + 1)] ?? 255
    if (high > 15 || low > 15) throw new TypeError('hex: expected lower-case hex digits')
    into[offset + (i >>> 1)] = (high << 4) | low
  }
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const out = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    out.set(part, offset)
    offset += part.length
  }
  return out
}

/** Order of bytes as `memcmp`, the shorter first. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}

export const equalBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && compareBytes(a, b) === 0

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export const utf8Encode = (text: string): Uint8Array => encoder.encode(text)

/** @throws {DecodeError} not UTF-8. */
export function utf8Decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch (error) {
    throw new DecodeError('text is not UTF-8', { cause: error })
  }
}

/** Bytes of `text` in UTF-8. */
export const utf8Length = (text: string): number => encoder.encode(text).length
