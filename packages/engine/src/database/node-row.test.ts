import { encodeNodeEntry, type NodeEntry, type NodeId, type ReplicaId, ROOT } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { makeSibling } from '../core/register.js'
import { NodeRows } from './node-row.js'

const idOf = (i: number) => i.toString(16).padStart(32, '0') as NodeId

function directory(i: number, name: string): NodeEntry {
  const dot = { rid: 'a'.repeat(16) as ReplicaId, seq: i }
  const value = { parent: ROOT, name, dead: false }
  const loc = [makeSibling({ register: [], observed: [], dot, hlc: { ms: i, counter: 0 }, value })]
  return { id: idOf(i), kind: 'dir', loc, content: [], attr: [] }
}

test('a row that comes back with the same bytes is the same entry', () => {
  const rows = new NodeRows()
  const entry = directory(1, 'a')
  const row = rows.encode(entry)
  expect(rows.decode(Uint8Array.from(row), entry.id)).toBe(entry)
})

test('other bytes of the same node are decoded, whichever was seen last', () => {
  const rows = new NodeRows()
  const [older, newer] = [directory(1, 'a'), { ...directory(2, 'b'), id: idOf(1) }]
  rows.encode(newer)
  expect(rows.decode(encodeNodeEntry(older), older.id)).toEqual(older)
  expect(rows.decode(encodeNodeEntry(newer), newer.id)).toEqual(newer)
})

test('two rows of one node that are read in turn are decoded once each', () => {
  const rows = new NodeRows()
  const known = directory(1, 'a')
  const shown = { ...directory(2, 'b'), id: known.id }
  rows.encode(known)
  rows.encode(shown)
  rows.encode(shown)
  for (const entry of [known, shown, known])
    expect(rows.decode(encodeNodeEntry(entry).slice(), entry.id)).toBe(entry)
})

test('only a bounded number of nodes is kept, the latest', () => {
  const rows = new NodeRows()
  const first = directory(1, 'a')
  rows.encode(first)
  for (let i = 2; i < 6_000; i++) rows.encode(directory(i, 'a'))
  const last = directory(6_000, 'a')
  rows.encode(last)
  expect(rows.decode(encodeNodeEntry(first).slice(), first.id)).not.toBe(first)
  expect(rows.decode(encodeNodeEntry(last).slice(), last.id)).toBe(last)
})

test('nodes that are long are kept for less long', () => {
  const rows = new NodeRows()
  const isKept = (entry: NodeEntry) => rows.decode(encodeNodeEntry(entry).slice(), entry.id) === entry
  const value = Uint8Array.from([0xc5, 0x3e, 0x80, ...new Uint8Array(16_000).fill(0xc0)])
  const extra = Array.from({ length: 50 }, (_, i) => ({ key: 10 + i, value }))
  const longOf = (i: number): NodeEntry => ({ ...directory(i, 'a'), extra })
  const entries = Array.from({ length: 20 }, (_, i) => longOf(i + 1))
  for (const entry of entries) rows.encode(entry)
  expect(isKept(entries[19]!)).toBe(true)
  expect(isKept(entries[0]!)).toBe(false)
})
