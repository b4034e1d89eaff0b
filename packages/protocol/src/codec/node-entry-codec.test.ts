import { describe, expect, test } from 'vitest'
import { type Context, EMPTY_CONTEXT } from '../context.js'
import type { Dot } from '../dot.js'
import { DecodeError, LimitError } from '../errors.js'
import { type ChunkId, type NodeId, type ReplicaId, ROOT } from '../ids.js'
import {
  DOTS_MAX,
  ENTRY_BYTES_MAX,
  FILE_BYTES_MAX,
  MANIFEST_HEIGHT_MAX,
  MTIME_MS_MAX,
  SIBLINGS_MAX,
} from '../limits.js'
import type { Content, Loc, NodeEntry, Sibling } from '../node-entry.js'
import { decodeNodeEntry, encodeLocSibling, encodeNodeEntry } from './node-entry-codec.js'
import { joinExtra } from './schema.js'
import { WireReader } from './wire-reader.js'
import { WireWriter } from './wire-writer.js'

const A = 'aaaaaaaaaaaaaaaa' as ReplicaId
const ID = '11111111111111111111111111111111' as NodeId
const CHUNK = 'c'.repeat(64) as ChunkId
const dot = (seq: number): Dot => ({ rid: A, seq })
const upTo = (seq: number, except: Dot[] = []): Context => ({ vector: new Map([[A, seq]]), except })
const HLC = { ms: 1, counter: 1 }
const LOC: Loc = { parent: ROOT, name: 'a', dead: false }
const FILE: Content = { root: CHUNK, height: 0, size: 1, mtimeMs: 1 }
const VOID: Content = { height: 0, size: 0, mtimeMs: 0 }
const sib = <V>(seq: number, value: V, ctx: Context = EMPTY_CONTEXT): Sibling<V> => ({
  dot: dot(seq),
  ctx,
  hlc: HLC,
  value,
})
const entry = (changes: Partial<NodeEntry>): NodeEntry => ({
  id: ID,
  kind: 'file',
  loc: [],
  content: [],
  attr: [],
  ...changes,
})
const loc = (changes: Partial<Loc>) => entry({ loc: [sib(1, { ...LOC, ...changes })] })
const content = (value: Content, kind: NodeEntry['kind'] = 'file') =>
  entry({ kind, content: [sib(1, value)] })
const manyDots = (count: number) => Array.from({ length: count }, (_, i) => dot(i + 1))

describe('node entries that are well-formed', () => {
  test.each<[string, NodeEntry]>([
    ['nothing known of it', entry({})],
    ['a void', content(VOID)],
    ['an empty file', content({ ...FILE, size: 0 })],
    ['the largest file', content({ ...FILE, size: FILE_BYTES_MAX })],
    ['a void of a symlink', content(VOID, 'symlink')],
    ['a symlink', content({ ...FILE, target: '../x' }, 'symlink')],
    ['.tidemark below a directory', loc({ parent: ID, name: '.tidemark' })],
    [
      'two siblings, the second does not know the first',
      entry({ loc: [sib(1, LOC), sib(3, LOC, upTo(2, [dot(1)]))] }),
    ],
    ['lists that are there and empty', loc({ held: [], pin: [], seen: EMPTY_CONTEXT })],
    ['a modification before 1970', content({ ...FILE, mtimeMs: -86_400_000 })],
  ])('%s', (_, value) => {
    expect(decodeNodeEntry(encodeNodeEntry(value))).toEqual(value)
  })
})

describe('a sibling that was encoded before', () => {
  const one = sib(1, LOC)
  const two = sib(3, { ...LOC, name: 'b'.repeat(200) }, upTo(2, [dot(1)]))
  const both = entry({ loc: [one, two] })
  const copy: NodeEntry = structuredClone(both)

  test('[DC3] has the same bytes alone, in an entry, and in the next entry', () => {
    const first = encodeNodeEntry(both)
    expect(encodeLocSibling(two)).toEqual(encodeLocSibling(structuredClone(two)))
    expect(encodeNodeEntry({ ...both })).toEqual(first)
    expect(encodeNodeEntry(entry({ loc: [two, one] }))).toEqual(first)
    expect(encodeNodeEntry(copy)).toEqual(first)
    expect(decodeNodeEntry(encodeNodeEntry(entry({ loc: [two] }))).loc).toEqual([two])
  })

  test('is checked again each time when it cannot be encoded', () => {
    const bad = entry({ loc: [sib(0, LOC)] })
    expect(() => encodeNodeEntry(bad)).toThrow(RangeError)
    expect(() => encodeNodeEntry({ ...bad })).toThrow(RangeError)
  })
})

describe('node entries that are refused', () => {
  test.each<[string, NodeEntry]>([
    ['the root', { ...entry({}), id: ROOT }],
    ['.tidemark at the root', loc({ name: '.tidemark' })],
    ['a name with a slash', loc({ name: 'a/b' })],
    ['a name in NFD', loc({ name: 'e\u0301' })],
    ['an empty name', loc({ name: '' })],
    ['a directory with content', content(FILE, 'dir')],
    ['a mount with content', content(VOID, 'mount')],
    ['a file with a target', content({ ...FILE, target: 'x' })],
    ['a symlink without a target', content(FILE, 'symlink')],
    ['an empty target', content({ ...FILE, target: '' }, 'symlink')],
    ['a target with NUL', content({ ...FILE, target: 'a\0b' }, 'symlink')],
    ['a void with a size', content({ ...VOID, size: 1 })],
    ['a void with a height', content({ ...VOID, height: 1 })],
    ['copies on something that is no void', content({ ...FILE, copies: [dot(9)] })],
    ['restores on a void', content({ height: 0, size: 0, mtimeMs: 0, restores: [dot(9)] })],
    ['a dot in its own context', entry({ loc: [sib(2, LOC, upTo(2))] })],
    ['a sibling that covers another', entry({ loc: [sib(1, LOC), sib(3, LOC, upTo(1))] })],
    ['one dot twice', entry({ loc: [sib(1, LOC), sib(1, { ...LOC, name: 'b' })] })],
    ['an exception above the vector', entry({ loc: [sib(9, LOC, upTo(2, [dot(3)]))] })],
  ])('%s', (_, value) => {
    expect(() => decodeNodeEntry(encodeNodeEntry(value))).toThrow(DecodeError)
  })

  test('more of anything than its limit is a LimitError, when written and when read', () => {
    const exceptAll = upTo(DOTS_MAX + 2, manyDots(DOTS_MAX + 1))
    for (const value of [
      loc({ held: manyDots(DOTS_MAX + 1) }),
      loc({ name: 'a'.repeat(256) }),
      entry({ loc: Array.from({ length: SIBLINGS_MAX + 1 }, (_, i) => sib(i + 1, LOC)) }),
      entry({ loc: [sib(DOTS_MAX + 9, LOC, exceptAll)] }),
      content({ ...FILE, size: FILE_BYTES_MAX + 1 }),
      content({ ...FILE, height: MANIFEST_HEIGHT_MAX + 1 }),
      content({ ...FILE, mtimeMs: MTIME_MS_MAX + 1 }),
      content({ ...FILE, mtimeMs: -MTIME_MS_MAX - 1 }),
    ]) {
      expect(() => encodeNodeEntry(value)).toThrow(LimitError)
    }
    const bytes = encodeNodeEntry(content({ ...FILE, size: FILE_BYTES_MAX, mtimeMs: 0 })).slice()
    // The size is a big-endian number of 8 bytes, and ends the content.
    bytes[bytes.lastIndexOf(0xcf) + 8] = 1
    expect(() => decodeNodeEntry(bytes)).toThrow(LimitError)
  })

  test('an entry that no frame holds beside its own fields is a LimitError, when written and when read', () => {
    const field = new Uint8Array(16_000).fill(0xc0)
    const value = Uint8Array.from([0xc5, field.length >> 8, field.length & 0xff, ...field])
    const extra = Array.from({ length: 50 }, (_, i) => ({ key: 10 + i, value }))
    const longOf = (count: number) =>
      entry({ loc: manyDots(count).map(({ seq }) => ({ ...sib(seq, LOC), extra })) })
    expect(encodeNodeEntry(longOf(4)).length).toBeLessThan(ENTRY_BYTES_MAX)
    expect(() => encodeNodeEntry(longOf(5))).toThrow(LimitError)
    expect(() => decodeNodeEntry(new Uint8Array(ENTRY_BYTES_MAX + 1))).toThrow(LimitError)
  })

  test('siblings that are not in order, and a field that says what its absence means', () => {
    const inOrder = encodeNodeEntry(entry({ loc: [sib(1, LOC), sib(2, LOC)] }))
    const swapped = inOrder.slice()
    const [first, second] = [...swapped.keys()].filter(
      (i) => swapped[i - 1] === 0xaa && swapped[i - 8] === 0xaa && swapped[i]! < 3,
    )
    swapped[first!] = 2
    swapped[second!] = 1
    expect(() => decodeNodeEntry(swapped)).toThrow(/out of order/)
    const writer = new WireWriter()
    writer.raw(encodeNodeEntry(entry({ attr: [sib(1, { executable: true })] })))
    const bytes = writer.take()
    bytes[bytes.length - 1] = 0xc2
    expect(() => decodeNodeEntry(bytes)).toThrow(/absence/)
  })

  test('a caller that passes a fraction or a short id gets a RangeError or TypeError: a defect, not a message', () => {
    expect(() => encodeNodeEntry(content({ ...FILE, mtimeMs: 0.5 }))).toThrow(RangeError)
    expect(() => encodeNodeEntry(content({ ...FILE, size: -1 }))).toThrow(RangeError)
    expect(() => encodeNodeEntry(loc({ parent: 'ab' as NodeId }))).toThrow(TypeError)
  })
})

describe('fields of later versions', () => {
  const extra = (key: number, ...value: number[]) => ({ key, value: Uint8Array.from(value) })

  test('[DC4] they survive at every part of an entry, byte for byte', () => {
    const value: NodeEntry = {
      ...entry({
        loc: [
          { ...sib(1, { ...LOC, extra: [extra(9, 0x2a), extra(300, 0xc0)] }), extra: [extra(5, 0xa1, 0x61)] },
        ],
        content: [sib(1, { ...FILE, extra: [extra(10, 0x91, 1)] })],
        attr: [sib(1, { executable: false, extra: [extra(2, 0xc3)] })],
      }),
      extra: [extra(6, 0x81, 1, 2)],
    }
    const bytes = encodeNodeEntry(value)
    expect(decodeNodeEntry(bytes)).toEqual(value)
    new WireReader(bytes).raw('entry', bytes.length)
  })

  test('joining what is only carried is commutative, associative and idempotent', () => {
    const [a, b, c] = [[extra(6, 1)], [extra(6, 2), extra(8, 0xc0)], [extra(7, 3)]]
    expect(joinExtra(a, b)).toEqual(joinExtra(b, a))
    expect(joinExtra(joinExtra(a, b), c)).toEqual(joinExtra(a, joinExtra(b, c)))
    expect(joinExtra(a, a)).toEqual(a)
    expect(joinExtra(undefined, b)).toEqual(b)
    expect(joinExtra(a, b)).toEqual([extra(6, 2), extra(8, 0xc0)])
  })
})
