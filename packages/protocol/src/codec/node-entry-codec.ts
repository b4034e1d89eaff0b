import { contextHas, DotIndex } from '../context.js'
import { compareDots } from '../dot.js'
import { DecodeError, LimitError } from '../errors.js'
import { HLC_COUNTER_MAX, HLC_MS_MAX, type Hlc } from '../hlc.js'
import { CHUNK_ID_BYTES, type ChunkId, NODE_ID_BYTES, type NodeId, ROOT } from '../ids.js'
import {
  ENTRY_BYTES_MAX,
  FILE_BYTES_MAX,
  MANIFEST_HEIGHT_MAX,
  MTIME_MS_MAX,
  NAME_BYTES_MAX,
  SIBLINGS_MAX,
  TARGET_BYTES_MAX,
} from '../limits.js'
import { nameDefect, RESERVED_NAME } from '../names.js'
import type { Attr, Content, Loc, NodeEntry, NodeKind, Register, Sibling } from '../node-entry.js'
import { contextCodec, dotCodec, dotsCodec, idCodec } from './flat.js'
import {
  bool,
  byDefault,
  type Codec,
  choice,
  int,
  list,
  optional,
  type RecordCodec,
  record,
  required,
  text,
  uint,
} from './schema.js'
import { WireReader } from './wire-reader.js'
import { WireWriter } from './wire-writer.js'

/**
 * The canonical form of a node's registers: one byte string per value, so that equal states have equal
 * digests. Fields that a later minor adds are kept in `extra` and written back in their place.
 */
const nodeId = idCodec<NodeId>(NODE_ID_BYTES)
const chunkId = idCodec<ChunkId>(CHUNK_ID_BYTES)

const hlc: Codec<Hlc> = {
  cddl: 'hlc',
  write: (writer, { ms, counter }) => {
    writer.arrayHeader(2)
    writer.uint(ms)
    writer.uint(counter)
  },
  read: (reader, label) => {
    if (reader.arrayHeader(label, 2) !== 2) throw new DecodeError(`${label}: expected two integers`)
    return { ms: reader.uint(label, HLC_MS_MAX), counter: reader.uint(label, HLC_COUNTER_MAX) }
  },
}

export const locRecord = record<Loc>(
  'loc',
  {
    parent: required(1, nodeId),
    name: required(2, text(NAME_BYTES_MAX)),
    from: optional(3, nodeId),
    dead: byDefault(4, bool, false),
    seen: optional(5, contextCodec),
    held: optional(6, dotsCodec),
    pin: optional(7, dotsCodec),
    alt: optional(8, flag()),
  },
  {
    unknown: 'keep',
    check: ({ parent, name }) => {
      const defect = nameDefect(name)
      if (defect !== undefined) throw new DecodeError(`loc.name ${defect}`)
      if (parent === ROOT && name === RESERVED_NAME) throw new DecodeError(`loc.name ${name} is reserved`)
    },
  },
)

export const contentRecord = record<Content>(
  'content',
  {
    root: optional(1, chunkId),
    height: byDefault(2, uint(MANIFEST_HEIGHT_MAX), 0),
    size: byDefault(3, uint(FILE_BYTES_MAX), 0),
    mtimeMs: byDefault(4, int(MTIME_MS_MAX), 0),
    target: optional(5, text(TARGET_BYTES_MAX)),
    base: optional(6, chunkId),
    adopted: optional(7, flag()),
    copies: optional(8, dotsCodec),
    restores: optional(9, dotsCodec),
  },
  {
    unknown: 'keep',
    check: (content) => {
      const { root, height, size, target, copies, restores } = content
      // No system makes such a link.
      if (target === '') throw new DecodeError('content.target is empty')
      if (target?.includes('\0')) throw new DecodeError('content.target contains NUL')
      if (root !== undefined && copies !== undefined)
        throw new DecodeError('content.copies without being a void')
      if (root === undefined && restores !== undefined) throw new DecodeError('content.restores on a void')
      if (root === undefined && (height !== 0 || size !== 0 || target !== undefined)) {
        throw new DecodeError('content: a void holds nothing')
      }
    },
  },
)

export const attrRecord = record<Attr>('attr', { executable: byDefault(1, bool, false) }, { unknown: 'keep' })

/** Present only when true: its absence and `false` are one value. */
function flag(): Codec<boolean> {
  return {
    cddl: 'true',
    write: (writer, value) => writer.bool(value),
    read: (reader, label) => {
      if (!reader.bool(label)) throw new DecodeError(`${label}: says what its absence means`)
      return true
    },
  }
}

const siblingRecord = <V>(name: string, value: Codec<V>): RecordCodec<Sibling<V>> => {
  const codec = record<Sibling<V>>(
    name,
    {
      dot: required(1, dotCodec),
      ctx: required(2, contextCodec),
      hlc: required(3, hlc),
      value: required(4, value),
    },
    {
      unknown: 'keep',
      check: ({ dot, ctx }) => {
        if (contextHas(ctx, dot)) throw new DecodeError(`${name}: a dot in its own context`)
      },
    },
  )
  return { ...codec, write: encodedOnce(codec.write) }
}

/** A sibling is immutable and goes through many entries and joins: later writes copy its bytes. */
function encodedOnce<T extends object>(write: Codec<T>['write']): Codec<T>['write'] {
  const encodings = new WeakMap<T, Uint8Array>()
  return (writer, value) => {
    const known = encodings.get(value)
    if (known) {
      writer.raw(known)
      return
    }
    const start = writer.length
    write(writer, value)
    encodings.set(value, writer.since(start))
  }
}

export const locSibling = siblingRecord('loc-sibling', locRecord)
export const contentSibling = siblingRecord('content-sibling', contentRecord)
export const attrSibling = siblingRecord('attr-sibling', attrRecord)

/** Siblings in ascending order of dot, none covering another. */
function register<V>(sibling: RecordCodec<Sibling<V>>): Codec<Register<V>> {
  const siblings = list(sibling, SIBLINGS_MAX)
  return {
    cddl: siblings.cddl,
    write: (writer, value) => {
      const { length } = value
      if (length > SIBLINGS_MAX) {
        throw new LimitError(`${length} concurrent writes of one ${sibling.name}`, 'SIBLINGS_MAX', length)
      }
      siblings.write(writer, sortedSiblings(value))
    },
    read: (reader, label) => {
      const value = siblings.read(reader, label)
      checkRegister(value, label)
      return value
    },
  }
}

function sortedSiblings<V>(value: Register<V>): Register<V> {
  return value.length < 2 ? value : [...value].sort((a, b) => compareDots(a.dot, b.dot))
}

function checkRegister<V>(value: Register<V>, label: string): void {
  for (const [i, sibling] of value.entries()) {
    const last = value[i - 1]
    if (last && compareDots(last.dot, sibling.dot) >= 0)
      throw new DecodeError(`${label}: siblings out of order`)
  }
  // That a sibling does not cover itself has been checked.
  if (value.length < 2) return
  const index = new DotIndex(value)
  for (const { ctx } of value) {
    for (const _ of index.namedBy(ctx)) throw new DecodeError(`${label}: a sibling covers another`)
  }
}

const KINDS: readonly NodeKind[] = ['file', 'dir', 'symlink', 'mount']

export const nodeEntryRecord = record<NodeEntry>(
  'node-entry',
  {
    id: required(1, nodeId),
    kind: required(2, choice(KINDS)),
    loc: required(3, register(locSibling)),
    content: required(4, register(contentSibling)),
    attr: required(5, register(attrSibling)),
  },
  { unknown: 'keep', check: checkKind },
)

function checkKind({ id, kind, content }: NodeEntry): void {
  if (id === ROOT) throw new DecodeError('node-entry: the root has no registers')
  if (content.length > 0 && kind !== 'file' && kind !== 'symlink') {
    throw new DecodeError(`node-entry: a ${kind} has no content`)
  }
  for (const { value } of content) {
    const hasTarget = value.target !== undefined
    if (hasTarget !== (kind === 'symlink' && value.root !== undefined)) {
      throw new DecodeError('node-entry: exactly the contents of symlinks have a target')
    }
  }
}

const WRITER = new WireWriter()

function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  WRITER.reset()
  codec.write(WRITER, value)
  return WRITER.takeToKeep()
}

function decode<T>(codec: Codec<T>, bytes: Uint8Array, label: string): T {
  const reader = new WireReader(bytes)
  const value = codec.read(reader, label)
  reader.end(label)
  return value
}

/** Entries are immutable: what one was encoded to, or came from, is its encoding for good. */
const ENCODINGS = new WeakMap<NodeEntry, Uint8Array>()

/**
 * One byte string per value, whatever the order of siblings, vectors and dots in memory. The same bytes
 * each time: nobody changes them.
 *
 * @throws {LimitError} {RangeError} {TypeError} the entry is not one that a replica may hold: a defect.
 */
export function encodeNodeEntry(entry: NodeEntry): Uint8Array {
  const known = ENCODINGS.get(entry)
  if (known) return known
  const bytes = encode(nodeEntryRecord, entry)
  checkLength(entry.id, bytes)
  ENCODINGS.set(entry, bytes)
  return bytes
}

/** Notes what an entry was decoded from. Precondition: nobody changes `bytes` any more. */
export function rememberEncoding(entry: NodeEntry, bytes: Uint8Array): void {
  ENCODINGS.set(entry, bytes)
}

/**
 * Every rule of a well-formed entry is checked; what is not in canonical form is refused. The result
 * shares no memory with `bytes`.
 *
 * @throws {DecodeError} {LimitError}
 */
export function decodeNodeEntry(bytes: Uint8Array): NodeEntry {
  checkLength('node-entry', bytes)
  return decode(nodeEntryRecord, bytes, 'node-entry')
}

function checkLength(label: string, { length }: Uint8Array): void {
  if (length <= ENTRY_BYTES_MAX) return
  throw new LimitError(`${label}: an entry of ${length} bytes`, 'ENTRY_BYTES_MAX', length)
}

/** Canonical bytes of one sibling, dot and context included: the last tie-breaker between siblings. */
export const encodeLocSibling = (sibling: Sibling<Loc>): Uint8Array => encode(locSibling, sibling)
export const encodeContentSibling = (sibling: Sibling<Content>): Uint8Array => encode(contentSibling, sibling)
export const encodeAttrSibling = (sibling: Sibling<Attr>): Uint8Array => encode(attrSibling, sibling)
