import { utf8Encode, writeHex } from '../bytes.js'
import { copyToKeep } from './slab.js'
import { VARINT_BYTES_MAX, writeVarint } from './varint.js'

/** A buffer that grew past this is given back after use: one large frame must not stay resident. */
const KEEP_BYTES_MAX = 256 * 1024
const FIRST_BYTES = 4 * 1024
/** Code units; above, one call of the encoder is faster than a loop. */
const SHORT_TEXT_MAX = 64

/**
 * Writes the subset of MessagePack that Tidemark says, each value in its shortest form, so that one value
 * has one byte string. The caller writes map keys in ascending order.
 *
 * Why not a library: those at hand write string keys only, and a general decoder reads every form of
 * an integer, so that canonical form had to be checked by encoding everything again.
 *
 * Source: https://github.com/msgpack/msgpack/blob/master/spec.md
 *
 * A writer is reused: `take` copies out what was written since the last one.
 */
export class WireWriter {
  #bytes = new Uint8Array(FIRST_BYTES)
  #view = new DataView(this.#bytes.buffer)
  #at = 0

  /** Forgets what was written, for instance by a call that threw. */
  reset(): void {
    this.#at = 0
  }

  /** @returns a copy of everything written, in a buffer of its own, and forgets it. */
  take(): Uint8Array {
    const out = this.#bytes.slice(0, this.#at)
    this.#forget()
    return out
  }

  /** The same as a copy to keep. */
  takeToKeep(): Uint8Array {
    const out = this.since(0)
    this.#forget()
    return out
  }

  #forget(): void {
    this.#at = 0
    if (this.#bytes.length > KEEP_BYTES_MAX) this.#resize(FIRST_BYTES)
  }

  /** Bytes written since the last `take`. */
  get length(): number {
    return this.#at
  }

  /** @returns a copy of what was written from `start` on, to keep. */
  since(start: number): Uint8Array {
    return copyToKeep(this.#bytes, start, this.#at)
  }

  nil(): void {
    this.#byte(0xc0)
  }

  bool(value: boolean): void {
    this.#byte(value ? 0xc3 : 0xc2)
  }

  /** @throws {RangeError} not an integer from 0 to 2^53 - 1. */
  uint(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not an unsigned integer: ${value}`)
    if (value < 0x80) this.#byte(value)
    else if (value < 0x100) this.#tagged8(0xcc, value)
    else if (value < 0x1_0000) this.#tagged16(0xcd, value)
    else if (value < 0x1_0000_0000) this.#tagged32(0xce, value)
    else this.#tagged64(0xcf, value)
  }

  /** @throws {RangeError} not an integer of 53 bits and a sign. */
  int(value: number): void {
    if (value >= 0) {
      this.uint(value)
      return
    }
    if (!Number.isSafeInteger(value)) throw new RangeError(`not an integer: ${value}`)
    if (value >= -0x20) this.#byte(value & 0xff)
    else if (value >= -0x80) this.#tagged8(0xd0, value & 0xff)
    else if (value >= -0x8000) this.#tagged16(0xd1, value & 0xffff)
    else if (value >= -0x8000_0000) this.#tagged32(0xd2, value >>> 0)
    else this.#tagged64(0xd3, value)
  }

  /** The caller has made sure that `text` is well-formed. */
  text(text: string): void {
    this.utf8(utf8Encode(text))
  }

  /** A text that is encoded already. */
  utf8(bytes: Uint8Array): void {
    this.#textHead(bytes.length)
    this.raw(bytes)
  }

  /** Nearly every text is short and ASCII: those need no encoder. @returns false: `text` is not one of them. */
  shortAscii(text: string): boolean {
    const { length } = text
    if (length > SHORT_TEXT_MAX) return false
    for (let i = 0; i < length; i++) if (text.charCodeAt(i) > 0x7f) return false
    this.#textHead(length)
    this.#room(length)
    for (let i = 0; i < length; i++) this.#bytes[this.#at++] = text.charCodeAt(i)
    return true
  }

  #textHead(length: number): void {
    if (length < 0x20) this.#byte(0xa0 | length)
    else if (length < 0x100) this.#tagged8(0xd9, length)
    else if (length < 0x1_0000) this.#tagged16(0xda, length)
    else this.#tagged32(0xdb, length)
  }

  bytes(bytes: Uint8Array): void {
    this.bytesHead(bytes.length)
    this.raw(bytes)
  }

  /** What stands before a byte string: the caller writes its `length` bytes. */
  bytesHead(length: number): void {
    if (length < 0x100) this.#tagged8(0xc4, length)
    else if (length < 0x1_0000) this.#tagged16(0xc5, length)
    else this.#tagged32(0xc6, length)
  }

  /** The bytes of a hex text, as they are. @throws {TypeError} not an even number of lower-case hex digits. */
  hex(text: string): void {
    const length = text.length >>> 1
    this.#room(length)
    writeHex(text, this.#bytes, this.#at)
    this.#at += length
  }

  /** A LEB128 integer, as it is. @throws {RangeError} not an integer from 0 to 2^53 - 1. */
  varint(value: number): void {
    this.#room(VARINT_BYTES_MAX)
    this.#at = writeVarint(value, this.#bytes, this.#at)
  }

  arrayHeader(count: number): void {
    if (count < 0x10) this.#byte(0x90 | count)
    else if (count < 0x1_0000) this.#tagged16(0xdc, count)
    else this.#tagged32(0xdd, count)
  }

  mapHeader(count: number): void {
    if (count < 0x10) this.#byte(0x80 | count)
    else if (count < 0x1_0000) this.#tagged16(0xde, count)
    else this.#tagged32(0xdf, count)
  }

  /** Bytes that are MessagePack already. */
  raw(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.#bytes.set(bytes, this.#at)
    this.#at += bytes.length
  }

  #byte(value: number): void {
    this.#room(1)
    this.#bytes[this.#at++] = value
  }

  #tagged8(tag: number, value: number): void {
    this.#room(2)
    this.#bytes[this.#at++] = tag
    this.#bytes[this.#at++] = value
  }

  #tagged16(tag: number, value: number): void {
    this.#room(3)
    this.#bytes[this.#at++] = tag
    this.#view.setUint16(this.#at, value)
    this.#at += 2
  }

  #tagged32(tag: number, value: number): void {
    this.#room(5)
    this.#bytes[this.#at++] = tag
    this.#view.setUint32(this.#at, value)
    this.#at += 4
  }

  #tagged64(tag: number, value: number): void {
    this.#room(9)
    this.#bytes[this.#at++] = tag
    const high = Math.floor(value / 2 ** 32)
    this.#view.setInt32(this.#at, high)
    this.#view.setUint32(this.#at + 4, value - high * 2 ** 32)
    this.#at += 8
  }

  #room(count: number): void {
    if (this.#at + count > this.#bytes.length)
      this.#resize(Math.max(this.#bytes.length * 2, this.#at + count))
  }

  #resize(length: number): void {
    const bytes = new Uint8Array(length)
    bytes.set(this.#bytes.subarray(0, this.#at))
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer)
  }
}
