import { compareBytes, utf8Encode } from '../bytes.js'
import { DecodeError, LimitError } from '../errors.js'
import { EXTRA_BYTES_MAX, FIELDS_MAX, SEQ_MAX } from '../limits.js'
import { LONE_SURROGATE } from '../names.js'
import type { ExtraField } from '../node-entry.js'
import type { WireReader } from './wire-reader.js'
import type { WireWriter } from './wire-writer.js'

/** How one type of value is written and read. */
export interface Codec<T> {
  /** Its name or form in CDDL (RFC 8610): part of the schema's fingerprint. */
  readonly cddl: string
  write(writer: WireWriter, value: T): void
  /** `label` says in errors what was read. @throws {DecodeError} {LimitError} */
  read(reader: WireReader, label: string): T
}

/** Bounds are checked when written too: what nobody can read back would spoil the database of its writer. */
export const uint = (max = SEQ_MAX): Codec<number> => ({
  cddl: 'uint',
  write: (writer, value) => {
    if (value > max) throw new LimitError(`${value} is more than ${max}`, 'uint', value)
    writer.uint(value)
  },
  read: (reader, label) => reader.uint(label, max),
})

/** @param magnitudeMax Bound of both signs. */
export const int = (magnitudeMax: number): Codec<number> => ({
  cddl: 'int',
  write: (writer, value) => {
    if (Math.abs(value) > magnitudeMax) throw new LimitError(`${value} is out of range`, 'int', value)
    writer.int(value)
  },
  read: (reader, label) => {
    const value = reader.int(label)
    if (Math.abs(value) > magnitudeMax) throw new LimitError(`${label}: out of range`, label, value)
    return value
  },
})

export const bool: Codec<boolean> = {
  cddl: 'bool',
  write: (writer, value) => writer.bool(value),
  read: (reader, label) => reader.bool(label),
}

/**
 * Text is checked when it is written too: an encoder would otherwise replace half a surrogate pair
 * silently, and a peer would refuse the whole frame for a text that is too long.
 */
export const text = (bytesMax: number): Codec<string> => ({
  cddl: 'tstr',
  write: (writer, value) => {
    if (value.length <= bytesMax && writer.shortAscii(value)) return
    const bytes = utf8Encode(value)
    const { length } = bytes
    // A text of which each unit is a byte is ASCII.
    if (length !== value.length && LONE_SURROGATE.test(value)) {
      throw new DecodeError('text is not well-formed Unicode')
    }
    if (length > bytesMax)
      throw new LimitError(`text of ${length} bytes, at most ${bytesMax}`, 'text', length)
    writer.utf8(bytes)
  },
  read: (reader, label) => reader.text(label, bytesMax),
})

export const bytes = (bytesMax: number): Codec<Uint8Array> => ({
  cddl: 'bstr',
  write: (writer, value) => {
    if (value.length > bytesMax) {
      throw new LimitError(`${value.length} bytes, at most ${bytesMax}`, 'bytes', value.length)
    }
    writer.bytes(value)
  },
  read: (reader, label) => reader.bytes(label, bytesMax),
})

/** One of a fixed list, by its place in the list. Places are never given to another word. */
export function choice<T extends string>(words: readonly T[]): Codec<T> {
  return {
    cddl: `&(${words.map((word, i) => `${word}: ${i}`).join(', ')})`,
    write: (writer, value) => writer.uint(words.indexOf(value)),
    read: (reader, label) => {
      const word = words[reader.uint(label)]
      if (word === undefined) throw new DecodeError(`${label}: unknown choice`)
      return word
    },
  }
}

export const list = <T>(item: Codec<T>, countMax: number): Codec<readonly T[]> => ({
  cddl: `[* ${item.cddl}]`,
  write: (writer, values) => {
    if (values.length > countMax) {
      throw new LimitError(`${values.length} items, at most ${countMax}`, 'list', values.length)
    }
    writer.arrayHeader(values.length)
    for (const value of values) item.write(writer, value)
  },
  read: (reader, label) => {
    const count = reader.arrayHeader(label, countMax)
    const out: T[] = []
    for (let i = 0; i < count; i++) out.push(item.read(reader, label))
    return out
  },
})

export const nullable = <T>(item: Codec<T>): Codec<T | null> => ({
  cddl: `(${item.cddl} / nil)`,
  write: (writer, value) => (value === null ? writer.nil() : item.write(writer, value)),
  read: (reader, label) => (reader.takeNil(label) ? null : item.read(reader, label)),
})

/** A field of a record. Numbers are never used again for something else. */
export interface Field<T> {
  readonly key: number
  readonly codec: Codec<T>
  readonly presence: 'required' | 'optional' | 'default'
  /** With presence `default`: what its absence means; never written. */
  readonly absent?: T
}

export const required = <T>(key: number, codec: Codec<T>): Field<T> => ({ key, codec, presence: 'required' })
export const optional = <T>(key: number, codec: Codec<T>): Field<T> => ({ key, codec, presence: 'optional' })
export const byDefault = <T extends boolean | number>(key: number, codec: Codec<T>, absent: T): Field<T> => ({
  key,
  codec,
  presence: 'default',
  absent,
})

/** Every member of `T` but the carrier of unknown fields and the name of a message has a field. */
export type FieldsOf<T> = { readonly [K in keyof Required<Omit<T, 'extra' | 'type'>>]: Field<Required<T>[K]> }

export interface RecordOptions<T> {
  /** `keep`: in `extra`, sent on; `ignore`: a message; `refuse`: the meaning would change. */
  readonly unknown: 'keep' | 'ignore' | 'refuse'
  /** Rules between fields. @throws {DecodeError} {LimitError} */
  readonly check?: (value: T) => void
}

interface NamedField extends Field<unknown> {
  readonly name: string
  readonly label: string
}

export interface RecordCodec<T> extends Codec<T> {
  readonly name: string
  readonly fields: readonly NamedField[]
}

const isWritten = ({ presence, absent }: NamedField, value: unknown): boolean =>
  presence === 'default' ? (value ?? absent) !== absent : value !== undefined

const NONE: readonly ExtraField[] = []

/** A map from field numbers, in ascending order. */
export function record<T extends object>(
  name: string,
  fieldsByName: FieldsOf<T>,
  options: RecordOptions<T>,
): RecordCodec<T> {
  const fields: readonly NamedField[] = Object.entries<Field<unknown>>(fieldsByName)
    .map(([fieldName, field]) => ({ ...field, name: fieldName, label: `${name}.${fieldName}` }))
    .sort((a, b) => a.key - b.key)
  const byKey = new Map(fields.map((field) => [field.key, field]))
  if (byKey.size !== fields.length) throw new TypeError(`${name}: two fields with one number`)

  const write = (writer: WireWriter, record: T): void => {
    const values = record as Readonly<Record<string, unknown>>
    const extra =
      (options.unknown === 'keep' ? (values.extra as readonly ExtraField[] | undefined) : undefined) ?? NONE
    let count = extra.length
    for (const field of fields) if (isWritten(field, values[field.name])) count++
    writer.mapHeader(count)
    let next = 0
    const writeExtraBelow = (key: number) => {
      for (let field = extra[next]; field !== undefined && field.key < key; field = extra[++next]) {
        writer.uint(field.key)
        writer.raw(field.value)
      }
    }
    for (const field of fields) {
      if (extra.length > next) writeExtraBelow(field.key)
      const value = values[field.name]
      if (isWritten(field, value)) {
        writer.uint(field.key)
        field.codec.write(writer, value)
      } else if (field.presence === 'required') throw new TypeError(`${field.label} is missing`)
    }
    writeExtraBelow(Number.POSITIVE_INFINITY)
  }

  const read = (reader: WireReader, label: string): T => {
    const count = reader.mapHeader(label, FIELDS_MAX)
    const out: Record<string, unknown> = {}
    const extra: ExtraField[] = []
    let last = 0
    for (let i = 0; i < count; i++) {
      const key = reader.uint(label)
      if (key <= last) throw new DecodeError(`${label}: keys are not in ascending order from 1`)
      last = key
      const field = byKey.get(key)
      if (field !== undefined) {
        const value = field.codec.read(reader, field.label)
        if (field.presence === 'default' && value === field.absent) {
          throw new DecodeError(`${field.label}: says what its absence means`)
        }
        out[field.name] = value
      } else if (options.unknown === 'refuse') throw new DecodeError(`${label}: unknown field ${key}`)
      else {
        const value = reader.raw(
          label,
          options.unknown === 'keep' ? EXTRA_BYTES_MAX : Number.POSITIVE_INFINITY,
        )
        // Copied: a view would keep the whole frame alive.
        if (options.unknown === 'keep') extra.push({ key, value: value.slice() })
      }
    }
    for (const field of fields) {
      if (out[field.name] !== undefined) continue
      if (field.presence === 'required') throw new DecodeError(`${field.label} is missing`)
      if (field.presence === 'default') out[field.name] = field.absent
    }
    if (extra.length > 0) out.extra = extra
    const value = out as T
    options.check?.(value)
    return value
  }

  return { name, cddl: name, fields, write, read }
}

/**
 * Joins what two replicas carry without understanding it: per field the greater bytes. Commutative,
 * associative and idempotent, so that old replicas converge on fields that only newer ones read.
 */
export function joinExtra(
  a: readonly ExtraField[] | undefined,
  b: readonly ExtraField[] | undefined,
): readonly ExtraField[] | undefined {
  if (a === undefined || b === undefined) return a ?? b
  const joined = new Map(a.map((field) => [field.key, field]))
  for (const field of b) {
    const other = joined.get(field.key)
    if (other === undefined || compareBytes(other.value, field.value) < 0) joined.set(field.key, field)
  }
  return [...joined.values()].sort((x, y) => x.key - y.key)
}
