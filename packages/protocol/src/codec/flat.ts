import { bytesToHex, concatBytes, hexToBytes, writeHex } from '../bytes.js'
import type { Context, Vector } from '../context.js'
import { compareDots, type Dot } from '../dot.js'
import { DecodeError, LimitError } from '../errors.js'
import { REPLICA_ID_BYTES, type ReplicaId } from '../ids.js'
import { DOTS_MAX, SEQ_MAX, VECTOR_ENTRIES_MAX } from '../limits.js'
import type { Codec } from './schema.js'

/**
 * Flat binaries: many small values in one byte string, 10 to 1000 times faster than an array of them.
 * Integers in them are LEB128: seven bits a byte, least significant first, shortest form only.
 */
export const VARINT_BYTES_MAX = 8

export function varintLength(value: number): number {
  let length = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++
  return length
}

/** @returns the offset behind it. */
export function writeVarint(value: number, into: Uint8Array, offset: number): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not an unsigned integer: ${value}`)
  let rest = value
  let at = offset
  while (rest >= 0x80) {
    into[at++] = (rest % 0x80) | 0x80
    rest = Math.floor(rest / 0x80)
  }
  into[at++] = rest
  return at
}

/** Walks a flat binary. */
export class FlatReader {
  at = 0
  constructor(
    readonly bytes: Uint8Array,
    readonly label: string,
  ) {}

  get done(): boolean {
    return this.at >= this.bytes.length
  }

  skip(length: number): void {
    if (this.at + length > this.bytes.length) throw new DecodeError(`${this.label}: cut off`)
    this.at += length
  }

  id<T extends string>(length: number): T {
    this.skip(length)
    return bytesToHex(this.bytes.subarray(this.at - length, this.at)) as T
  }

  varint(): number {
    let value = 0
    for (let i = 0, scale = 1; i < VARINT_BYTES_MAX; i++, scale *= 0x80) {
      const byte = this.bytes[this.at++]
      if (byte === undefined) throw new DecodeError(`${this.label}: cut off`)
      value += (byte & 0x7f) * scale
      if (byte >= 0x80) continue
      if (byte === 0 && i > 0) throw new DecodeError(`${this.label}: integer is not in its shortest form`)
      if (value > SEQ_MAX) break
      return value
    }
    throw new DecodeError(`${this.label}: integer of more than 53 bits`)
  }
}

const dotLength = (dot: Dot): number => REPLICA_ID_BYTES + varintLength(dot.seq)

/** Dots in the order given, one after the other. */
function packDots(dots: readonly Dot[]): Uint8Array {
  const out = new Uint8Array(dots.reduce((length, dot) => length + dotLength(dot), 0))
  let at = 0
  for (const { rid, seq } of dots) {
    if (rid.length !== REPLICA_ID_BYTES * 2) throw new TypeError(`replica id: ${rid}`)
    writeHex(rid, out, at)
    at = writeVarint(seq, out, at + REPLICA_ID_BYTES)
  }
  return out
}

function unpackDots(bytes: Uint8Array, label: string, seqMin: 0 | 1, ordered: boolean): Dot[] {
  const reader = new FlatReader(bytes, label)
  const out: Dot[] = []
  while (!reader.done) {
    const dot = { rid: reader.id<ReplicaId>(REPLICA_ID_BYTES), seq: reader.varint() }
    if (dot.seq < seqMin) throw new DecodeError(`${label}: sequence numbers start at 1`)
    const last = out[out.length - 1]
    if (ordered && last && compareDots(last, dot) >= 0)
      throw new DecodeError(`${label}: not in ascending order`)
    out.push(dot)
  }
  return out
}

const DOT_BYTES_MAX = REPLICA_ID_BYTES + VARINT_BYTES_MAX

function checkCount(count: number, countMax: number, label: string): void {
  if (count > countMax) throw new LimitError(`${label}: more than ${countMax}`, label, count)
}

export const dotCodec: Codec<Dot> = {
  cddl: 'dot',
  write: (writer, dot) => {
    if (dot.seq < 1) throw new RangeError('dot: sequence numbers start at 1')
    writer.bytes(packDots([dot]))
  },
  read: (reader, label) => {
    const [dot, more] = unpackDots(reader.bytes(label, DOT_BYTES_MAX), label, 1, true)
    if (dot === undefined || more !== undefined) throw new DecodeError(`${label}: expected one dot`)
    return dot
  },
}

/** A set of dots, in ascending order. */
export const dotsCodec: Codec<readonly Dot[]> = {
  cddl: 'dots',
  write: (writer, dots) => {
    checkCount(dots.length, DOTS_MAX, 'dots')
    writer.bytes(packDots([...dots].sort(compareDots)))
  },
  read: (reader, label) => {
    const dots = unpackDots(reader.bytes(label, DOTS_MAX * DOT_BYTES_MAX), label, 1, true)
    checkCount(dots.length, DOTS_MAX, label)
    return dots
  },
}

/** Dots in the order of the sender, zero allowed: (replica, highest sequence number) pairs. */
export const looseDotsCodec: Codec<readonly Dot[]> = {
  cddl: 'loose-dots',
  write: (writer, dots) => {
    checkCount(dots.length, DOTS_MAX, 'dots')
    writer.bytes(packDots(dots))
  },
  read: (reader, label) => {
    const dots = unpackDots(reader.bytes(label, DOTS_MAX * DOT_BYTES_MAX), label, 0, false)
    checkCount(dots.length, DOTS_MAX, label)
    return dots
  },
}

function packVector(vector: Vector): Uint8Array {
  checkCount(vector.size, VECTOR_ENTRIES_MAX, 'vector')
  return packDots([...vector].map(([rid, seq]) => ({ rid, seq })).sort(compareDots))
}

function unpackVector(bytes: Uint8Array, label: string, seqMin: 0 | 1): Vector {
  const dots = unpackDots(bytes, label, seqMin, true)
  checkCount(dots.length, VECTOR_ENTRIES_MAX, label)
  const vector = new Map(dots.map(({ rid, seq }) => [rid, seq]))
  if (vector.size !== dots.length) throw new DecodeError(`${label}: a replica stands twice`)
  return vector
}

/** In ascending order of replica; zero is allowed and says "known, nothing of it". */
export const vectorCodec: Codec<Vector> = {
  cddl: 'vector',
  write: (writer, vector) => writer.bytes(packVector(vector)),
  read: (reader, label) => unpackVector(reader.bytes(label, VECTOR_ENTRIES_MAX * DOT_BYTES_MAX), label, 0),
}

const CONTEXT_BYTES_MAX = VARINT_BYTES_MAX + (VECTOR_ENTRIES_MAX + DOTS_MAX) * DOT_BYTES_MAX

/** Canonical, flat: the number of vector entries, these, then the exceptions. */
export function encodeContext({ vector, except }: Context): Uint8Array {
  checkCount(except.length, DOTS_MAX, 'context.except')
  const head = new Uint8Array(varintLength(vector.size))
  writeVarint(vector.size, head, 0)
  return concatBytes([head, packVector(vector), packDots([...except].sort(compareDots))])
}

/**
 * Refuses zeros, exceptions above the vector, and everything that is not in order.
 *
 * @throws {DecodeError} {LimitError}
 */
export function decodeContext(bytes: Uint8Array, label = 'context'): Context {
  const reader = new FlatReader(bytes, label)
  const count = reader.varint()
  checkCount(count, VECTOR_ENTRIES_MAX, label)
  const vectorStart = reader.at
  for (let i = 0; i < count; i++) skipDot(reader)
  const vector = unpackVector(bytes.subarray(vectorStart, reader.at), label, 1)
  const except = unpackDots(bytes.subarray(reader.at), label, 1, true)
  checkCount(except.length, DOTS_MAX, label)
  for (const { rid, seq } of except) {
    if ((vector.get(rid) ?? 0) < seq) throw new DecodeError(`${label}: an exception above the vector`)
  }
  return { vector, except }
}

function skipDot(reader: FlatReader): void {
  reader.skip(REPLICA_ID_BYTES)
  reader.varint()
}

/** Closed: a field that an old replica does not understand would change what a context covers. */
export const contextCodec: Codec<Context> = {
  cddl: 'context',
  write: (writer, ctx) => writer.bytes(encodeContext(ctx)),
  read: (reader, label) => decodeContext(reader.bytes(label, CONTEXT_BYTES_MAX), label),
}

/** Ids of one length, in the order given. */
export const idsCodec = <T extends string>(idBytes: number, countMax: number): Codec<readonly T[]> => ({
  cddl: `ids${idBytes}`,
  write: (writer, ids) => {
    checkCount(ids.length, countMax, 'ids')
    const out = new Uint8Array(ids.length * idBytes)
    for (const [i, id] of ids.entries()) {
      if (id.length !== idBytes * 2) throw new TypeError(`id of ${idBytes} bytes: ${id}`)
      writeHex(id, out, i * idBytes)
    }
    writer.bytes(out)
  },
  read: (reader, label) => {
    const flat = new FlatReader(reader.bytes(label, idBytes * countMax), label)
    const out: T[] = []
    while (!flat.done) out.push(flat.id<T>(idBytes))
    return out
  },
})

export const idCodec = <T extends string>(idBytes: number): Codec<T> => ({
  cddl: `id${idBytes}`,
  write: (writer, id) => {
    if (id.length !== idBytes * 2) throw new TypeError(`id of ${idBytes} bytes: ${id}`)
    writer.bytes(hexToBytes(id))
  },
  read: (reader, label) => {
    const bytes = reader.bytes(label, idBytes)
    if (bytes.length !== idBytes) throw new DecodeError(`${label}: expected ${idBytes} bytes`)
    return bytesToHex(bytes) as T
  },
})

/** For databases: flat, in ascending order of replica. */
export const encodeVector = (vector: Vector): Uint8Array => packVector(vector)
/** @throws {DecodeError} {LimitError} */
export const decodeVector = (bytes: Uint8Array): Vector => unpackVector(bytes, 'vector', 0)
/** For databases: flat, sorted. */
export const encodeDots = (dots: readonly Dot[]): Uint8Array => packDots([...dots].sort(compareDots))
/** @throws {DecodeError} */
export const decodeDots = (bytes: Uint8Array): readonly Dot[] => unpackDots(bytes, 'dots', 1, true)
