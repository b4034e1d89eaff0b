import {
  DecodeError,
  decodeMessage,
  encodeMessage,
  equalBytes,
  LimitError,
  type Message,
} from '@tidemark/protocol'
import type { SimRandom } from './random.js'

/** Bytes that begin long or forbidden values. */
const NASTY = [0x00, 0x80, 0x92, 0x9f, 0xc0, 0xc1, 0xc4, 0xc6, 0xcf, 0xd3, 0xd9, 0xdb, 0xdd, 0xdf, 0xff]
const TRIES = 30
const RANDOM_BYTES_MAX = 64
/** Large enough for no field of this version to have it. */
const NEW_FIELD = 0x7f
const NESTING_MAX = 4

/** @throws what is no typed refusal: the codec has a defect. */
export function decoded(frame: Uint8Array): Message | undefined {
  try {
    return decodeMessage(frame)
  } catch (error) {
    if (error instanceof DecodeError || error instanceof LimitError) return undefined
    throw error
  }
}

/**
 * What is read can be said again, and means the same then: one value has one encoding, and what was read is within
 * every limit.
 *
 * @throws {TypeError} not so: the codec has a defect.
 */
export function mustBeSaidAgain(message: Message): void {
  const again = encodeMessage(message)
  if (!equalBytes(encodeMessage(decodeMessage(again)), again))
    throw new TypeError(`${message.type} is read as one thing and written as another`)
}

/** Something that is no message, and looks as much like this one as possible. */
export function garbled(frame: Uint8Array, random: SimRandom): Uint8Array {
  for (let i = 0; i < TRIES; i++) {
    const broken = mutated(frame, random)
    // A preamble is no message either, and may come out as it was.
    if (!decoded(broken) && !equalBytes(broken, frame)) return broken
  }
  return new Uint8Array()
}

/** Bytes like these, with one to four things changed; or any bytes. */
export function mutated(frame: Uint8Array, random: SimRandom): Uint8Array {
  if (random.chance(10)) return random.bytes(random.below(RANDOM_BYTES_MAX))
  const bytes = [...frame]
  for (let left = 1 + random.below(4); left > 0; left--) {
    const at = random.below(bytes.length + 1)
    // Most of what is interesting stands at the start: heads, numbers of fields, lengths.
    const near = random.chance(2) ? random.below(Math.min(bytes.length, 24) + 1) : at
    switch (random.below(6)) {
      case 0:
        bytes.length = at
        break
      case 1:
        bytes.splice(near, 1 + random.below(3))
        break
      case 2:
        bytes.splice(near, 0, ...random.bytes(1 + random.below(8)))
        break
      case 3:
        bytes.splice(near, 0, ...bytes.slice(near, near + 1 + random.below(16)))
        break
      case 4:
        if (near < bytes.length) bytes[near] = random.pick(NASTY)!
        break
      default:
        if (near < bytes.length) bytes[near]! ^= 1 << random.below(8)
    }
  }
  return Uint8Array.from(bytes)
}

/** The same message as a later minor version might say it: with a field that nobody here knows. */
export function extended(frame: Uint8Array, random: SimRandom): Uint8Array {
  // A frame is [number, fields]; up to fourteen fields the head of their map is one byte.
  const head = frame[2]
  if (!decoded(frame) || head === undefined || head < 0x80 || head >= 0x8f) return frame
  const bytes = [...frame, NEW_FIELD, ...anyValue(random, NESTING_MAX)]
  bytes[2] = head + 1
  return Uint8Array.from(bytes)
}

/** MessagePack of any type that the protocol allows, each in its shortest form. */
function anyValue(random: SimRandom, depth: number): number[] {
  const bytesOf = (count: number): number[] => [...random.bytes(count)]
  const text = (count: number): number[] => Array.from({ length: count }, () => 0x61 + random.below(26))
  const kinds: (() => number[])[] = [
    () => [random.below(0x80)],
    () => [random.pick([0xc0, 0xc2, 0xc3])!],
    () => [0xcc, 0x80 + random.below(0x80)],
    () => [0xcd, 1 + random.below(0xff), ...bytesOf(1)],
    () => [0xce, 1 + random.below(0xff), ...bytesOf(3)],
    () => [0xcf, 0, random.below(0x20), 0, 1 + random.below(0xff), ...bytesOf(4)],
    () => [0xe0 + random.below(0x20)],
    () => [0xd0, 0x80 + random.below(0x60)],
    () => [0xd1, 0x80 + random.below(0x7f), ...bytesOf(1)],
    () => [0xd2, 0x80 + random.below(0x7f), ...bytesOf(3)],
    () => [0xd3, 0xff, 0xe0 + random.below(0x1f), ...bytesOf(6)],
    () => [0xa0 + 3, ...text(3)],
    () => [0xd9, 40, ...text(40)],
    () => [0xda, 1, 0, ...text(256)],
    () => [0xc4, 5, ...bytesOf(5)],
    () => [0xc5, 1, 0, ...bytesOf(256)],
  ]
  const nested: (() => number[])[] = [
    () => [0x92, ...anyValue(random, depth - 1), ...anyValue(random, depth - 1)],
    () => [0x82, 1, ...anyValue(random, depth - 1), 2, ...anyValue(random, depth - 1)],
    () => [0xdc, 0, 20, ...Array.from({ length: 20 }, () => random.below(0x80))],
    () => [0xde, 0, 20, ...Array.from({ length: 20 }, (_, i) => [i + 1, 7]).flat()],
  ]
  return random.pick(depth > 1 ? [...kinds, ...nested, ...nested] : kinds)!()
}
