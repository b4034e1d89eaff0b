import type { ChunkId, NodeId, ReplicaId } from '@tidemark/protocol'
import { ROOT } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { sameEntry, type ViewEntry } from './view-entry.js'

const rid = 'a'.repeat(16) as ReplicaId
const node = '1'.repeat(32) as NodeId
const other = '2'.repeat(32) as NodeId
const root = 'c'.repeat(64) as ChunkId

const make = (): ViewEntry & { readonly version: NonNullable<ViewEntry['version']> } => ({
  parent: ROOT,
  name: 'a',
  kind: 'file',
  node,
  backing: [node],
  role: 'main',
  executable: false,
  version: { root, height: 0, size: 1, mtimeMs: 2, dots: [{ rid, seq: 1 }] },
})

test('two views are the same when every field is, whoever made them', () => {
  expect(sameEntry(make(), make())).toBe(true)
  expect(sameEntry(undefined, undefined)).toBe(true)
})

test('a difference in any one field is a difference', () => {
  const entry = make()
  const { version: _, ...bare } = entry
  const differing: (ViewEntry | undefined)[] = [
    undefined,
    bare,
    { ...entry, parent: other },
    { ...entry, name: 'b' },
    { ...entry, kind: 'symlink' },
    { ...entry, node: other },
    { ...entry, backing: [node, other] },
    { ...entry, backing: [other] },
    { ...entry, role: 'clash' },
    { ...entry, executable: true },
    { ...entry, version: { ...entry.version, root: 'd'.repeat(64) as ChunkId } },
    { ...entry, version: { ...entry.version, height: 1 } },
    { ...entry, version: { ...entry.version, size: 2 } },
    { ...entry, version: { ...entry.version, mtimeMs: 3 } },
    { ...entry, version: { ...entry.version, target: '/' } },
    { ...entry, version: { ...entry.version, dots: [] } },
    { ...entry, version: { ...entry.version, dots: [{ rid, seq: 2 }] } },
  ]
  for (const changed of differing) {
    expect(sameEntry(entry, changed)).toBe(false)
    expect(sameEntry(changed, entry)).toBe(false)
  }
})
