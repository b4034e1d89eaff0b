import { type EntryKey, MemoryKeyValueStore, type SpaceBinding, type ViewEntry } from '@tidemark/engine'
import { type ChunkId, type NodeEntry, type NodeId, ROOT } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { nodeFileSystem } from '../adapters/node-file-system.js'
import { Problems } from '../problems.js'
import type { SyncedRow } from '../rows.js'
import { RowsStore, rowOps } from '../rows-store.js'
import { findAdoptions } from './adopt.js'
import { DirRef } from './dir-ref.js'
import type { PushContext } from './push-context.js'
import type { ReadContent } from './read-content.js'
import { RefusedFiles } from './refused.js'

const [OLD, NEW] = ['aa', 'bb'] as [ChunkId, ChunkId]
const node = '1'.repeat(32) as NodeId

const entryOf = (root: ChunkId): ViewEntry => ({
  parent: ROOT,
  name: 'f',
  kind: 'file',
  node,
  backing: [node],
  role: 'main',
  executable: false,
  version: { root, height: 0, size: 1, mtimeMs: 0, dots: [] },
})

/** A space that receives an edit of `f` between any two reads of it. */
function spaceThatMovesOn(): SpaceBinding['received'] {
  let root = OLD
  const registersOf = (value: ChunkId) => ({ id: node, kind: 'file', content: [{ value: { root: value } }] })
  const parts = {
    lookup: async () => entryOf(root),
    entry: async () => undefined,
    node: async () => {
      root = NEW
      return registersOf(root) as unknown as NodeEntry
    },
  }
  return parts as unknown as SpaceBinding['received']
}

const contextOf = (received: SpaceBinding['received'], rows: MemoryKeyValueStore): PushContext => ({
  space: { received } as SpaceBinding,
  rows: new RowsStore(rows),
  files: nodeFileSystem,
  clock: { nowMs: Date.now },
  directory: '/',
  problems: new Problems(),
  refused: new RefusedFiles(),
  onEvent: () => undefined,
})

const stat = { ...nodeFileSystem.lstat('/')!, kind: 'file' } as const

/** A file with the old bytes that is found at `f`. */
const found = {
  item: { type: 'create', path: 'f', dir: DirRef.root('1'), name: 'f', entryName: 'f', stat },
  read: { content: { root: OLD }, stat, isRacy: false } as ReadContent,
} as const

test('[NL11] what is adopted are registers that are no newer than the entry that was compared', async () => {
  const context = contextOf(spaceThatMovesOn(), new MemoryKeyValueStore())
  const [adoption] = await findAdoptions(context, [found])
  expect(adoption!.materialised.nodes.map(({ content }) => content[0]!.value.root)).toEqual([NEW])
  expect(adoption!.entry.version!.root).toBe(NEW)
  expect(adoption!.isEqual).toBe(false)
})

test('[NL11] a copy is not adopted while another version of its file stands here that others have replaced', async () => {
  const copy: ViewEntry = { ...entryOf(OLD), role: 'conflict' }
  const parts = {
    lookup: async () => copy,
    entry: async (key: EntryKey) => (key === node ? entryOf(NEW) : copy),
    node: async () => ({ id: node, kind: 'file', loc: [], content: [], attr: [] }),
  }
  const storage = new MemoryKeyValueStore()
  const context = contextOf(parts as unknown as SpaceBinding['received'], storage)
  const row = (root: ChunkId): SyncedRow => ({
    key: node,
    dir: ROOT,
    localName: 'g',
    entry: entryOf(root),
    fingerprint: stat,
  })
  await storage.batch(rowOps([{ before: undefined, after: row(OLD) }]), { sync: true })
  expect(await findAdoptions(context, [found])).toEqual([])
  await storage.batch(rowOps([{ before: row(OLD), after: row(NEW) }]), { sync: true })
  expect(await findAdoptions(context, [found])).toHaveLength(1)
})
