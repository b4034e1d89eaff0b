import { utf8Decode } from '../bytes.js'
import { DecodeError, LimitError } from '../errors.js'
import { NESTING_MAX, SEQ_MAX } from '../limits.js'

/**
 * Reads the subset of MessagePack that Tidemark says, from a peer's bytes. Refuses everything that is not
 * in its shortest form, text that is not UTF-8, floats, extensions, and every length beyond the input
 * before anything is allocated for it.
 *
 * Byte strings are views of the input: who keeps one for long copies it.
 *
 * Every method throws {DecodeError}, those with a bound {LimitError} too.
 */
export class WireReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Nothing may follow. */
  end(label: string): void {
    const rest = this.#bytes.length - this.#at
    if (rest !== 0) throw new DecodeError(`${label}: ${rest} byte(s) after the end`)
  }

  /** Consumes a nil, if the next value is one. */
  takeNil(label: string): boolean {
    if (this.#peek(label) !== 0xc0) return false
    this.#at++
    return true
  }

  bool(label: string): boolean {
    const tag = this.#tag(label)
    if (tag !== 0xc2 && tag !== 0xc3) throw new DecodeError(`${label}: expected a boolean`)
    return tag === 0xc3
  }

  uint(label: string, max = SEQ_MAX): number {
    const value = this.#unsigned(this.#tag(label), label)
    if (value === undefined) throw new DecodeError(`${label}: expected an unsigned integer`)
    if (value > max) throw new LimitError(`${label}: ${value} is more than ${max}`, label, value)
    return value
  }

  int(label: string): number {
    const tag = this.#tag(label)
    const value = this.#unsigned(tag, label) ?? this.#negative(tag, label)
    if (value === undefined) throw new DecodeError(`${label}: expected an integer`)
    return value
  }

  text(label: string, bytesMax: number): string {
    const length = this.#textLength(this.#tag(label), label)
    if (length === undefined) throw new DecodeError(`${label}: expected text`)
    if (length > bytesMax) throw new LimitError(`${label}: longer than ${bytesMax} bytes`, label, length)
    return utf8Decode(this.#take(length, label))
  }

  bytes(label: string, bytesMax: number): Uint8Array {
    const length = this.#bytesLength(this.#tag(label), label)
    if (length === undefined) throw new DecodeError(`${label}: expected bytes`)
    if (length > bytesMax) throw new LimitError(`${label}: longer than ${bytesMax} bytes`, label, length)
    return this.#take(length, label)
  }

  arrayHeader(label: string, countMax: number): number {
    const count = this.#arrayLength(this.#tag(label), label)
    if (count === undefined) throw new DecodeError(`${label}: expected an array`)
    return this.#count(count, countMax, 1, label)
  }

  mapHeader(label: string, countMax: number): number {
    const count = this.#mapLength(this.#tag(label), label)
    if (count === undefined) throw new DecodeError(`${label}: expected a map`)
    return this.#count(count, countMax, 2, label)
  }

  /** One value of any allowed type, as its bytes: what a later minor version added. */
  raw(label: string, bytesMax: number): Uint8Array {
    const start = this.#at
    this.#skip(label, NESTING_MAX)
    const length = this.#at - start
    if (length > bytesMax) throw new LimitError(`${label}: longer than ${bytesMax} bytes`, label, length)
    return this.#bytes.subarray(start, this.#at)
  }

  #skip(label: string, depth: number): void {
    if (depth === 0) throw new DecodeError(`${label}: nested too deeply`)
    const tag = this.#tag(label)
    if (tag === 0xc0 || tag === 0xc2 || tag === 0xc3) return
    if (this.#unsigned(tag, label) !== undefined || this.#negative(tag, label) !== undefined) return
    const textLength = this.#textLength(tag, label)
    if (textLength !== undefined) {
      utf8Decode(this.#take(textLength, label))
      return
    }
    const bytesLength = this.#bytesLength(tag, label)
    if (bytesLength !== undefined) {
      this.#take(bytesLength, label)
      return
    }
    const arrayLength = this.#arrayLength(tag, label)
    if (arrayLength !== undefined) {
      this.#count(arrayLength, arrayLength, 1, label)
      for (let i = 0; i < arrayLength; i++) this.#skip(label, depth - 1)
      return
    }
    const mapLength = this.#mapLength(tag, label)
    if (mapLength === undefined) throw new DecodeError(`${label}: type 0x${tag.toString(16)} is not allowed`)
    this.#count(mapLength, mapLength, 2, label)
    let last = 0
    for (let i = 0; i < mapLength; i++) {
      const key = this.uint(label)
      if (key <= last) throw new DecodeError(`${label}: keys are not in ascending order from 1`)
      last = key
      this.#skip(label, depth - 1)
    }
  }

  #unsigned(tag: number, label: string): number | undefined {
    if (tag < 0x80) return tag
    if (tag === 0xcc) return this.#shortest(this.#fixed(1, label), 0x80, label)
    if (tag === 0xcd) return this.#shortest(this.#fixed(2, label), 0x100, label)
    if (tag === 0xce) return this.#shortest(this.#fixed(4, label), 0x1_0000, label)
    if (tag !== 0xcf) return undefined
    const high = this.#fixed(4, label)
    const value = high * 2 ** 32 + this.#fixed(4, label)
    if (value > SEQ_MAX) throw new DecodeError(`${label}: integer of more than 53 bits`)
    return this.#shortest(value, 0x1_0000_0000, label)
  }

  #negative(tag: number, label: string): number | undefined {
    if (tag >= 0xe0) return tag - 0x100
    if (tag === 0xd0) return -this.#shortest(0x100 - this.#fixed(1, label), 0x21, label, 0x80)
    if (tag === 0xd1) return -this.#shortest(0x1_0000 - this.#fixed(2, label), 0x81, label, 0x8000)
    if (tag === 0xd2) return -this.#shortest(2 ** 32 - this.#fixed(4, label), 0x8001, label, 0x8000_0000)
    if (tag !== 0xd3) return undefined
    const high = this.#fixed(4, label)
    const magnitude = (2 ** 32 - high) * 2 ** 32 - this.#fixed(4, label)
    return -this.#shortest(magnitude, 0x8000_0001, label, SEQ_MAX)
  }

  #textLength(tag: number, label: string): number | undefined {
    if ((tag & 0xe0) === 0xa0) return tag & 0x1f
    if (tag === 0xd9) return this.#shortest(this.#fixed(1, label), 0x20, label)
    if (tag === 0xda) return this.#shortest(this.#fixed(2, label), 0x100, label)
    if (tag === 0xdb) return this.#shortest(this.#fixed(4, label), 0x1_0000, label)
    return undefined
  }

  #bytesLength(tag: number, label: string): number | undefined {
    if (tag === 0xc4) return this.#fixed(1, label)
    if (tag === 0xc5) return this.#shortest(this.#fixed(2, label), 0x100, label)
    if (tag === 0xc6) return this.#shortest(this.#fixed(4, label), 0x1_0000, label)
    return undefined
  }

  #arrayLength(tag: number, label: string): number | undefined {
    if ((tag & 0xf0) === 0x90) return tag & 0x0f
    if (tag === 0xdc) return this.#shortest(this.#fixed(2, label), 0x10, label)
    if (tag === 0xdd) return this.#shortest(this.#fixed(4, label), 0x1_0000, label)
    return undefined
  }

  #mapLength(tag: number, label: string): number | undefined {
    if ((tag & 0xf0) === 0x80) return tag & 0x0f
    if (tag === 0xde) return this.#shortest(this.#fixed(2, label), 0x10, label)
    if (tag === 0xdf) return this.#shortest(this.#fixed(4, label), 0x1_0000, label)
    return undefined
  }

  #shortest(value: number, min: number, label: string, max = Number.POSITIVE_INFINITY): number {
    if (value < min || value > max)
      throw new DecodeError(`${label}: not in its shortest form, or out of range`)
    return value
  }

  /** A count is believed only if that many values fit into what is left. */
  #count(count: number, countMax: number, bytesEach: number, label: string): number {
    if (count * bytesEach > this.#bytes.length - this.#at) throw new DecodeError(`${label}: cut off`)
    if (count > countMax) throw new LimitError(`${label}: more than ${countMax}`, label, count)
    return count
  }

  #peek(label: string): number {
    const tag = this.#bytes[this.#at]
    if (tag === undefined) throw new DecodeError(`${label}: cut off`)
    return tag
  }

  #tag(label: string): number {
    const tag = this.#peek(label)
    this.#at++
    return tag
  }

  #fixed(bytes: 1 | 2 | 4, label: string): number {
    if (this.#at + bytes > this.#bytes.length) throw new DecodeError(`${label}: cut off`)
    const at = this.#at
    this.#at += bytes
    if (bytes === 1) return this.#view.getUint8(at)
    return bytes === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at)
  }

  #take(length: number, label: string): Uint8Array {
    if (length > this.#bytes.length - this.#at) throw new DecodeError(`${label}: cut off`)
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }
}
