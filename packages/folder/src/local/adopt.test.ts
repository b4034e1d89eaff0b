import { MemoryKeyValueStore, type SpaceBinding, type ViewEntry } from '@tidemark/engine'
import { type ChunkId, type NodeEntry, type NodeId, ROOT } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { nodeFileSystem } from '../adapters/node-file-system.js'
import { Problems } from '../problems.js'
import { RowsStore } from '../rows-store.js'
import { findAdoptions } from './adopt.js'
import { DirRef } from './dir-ref.js'
import type { PushContext } from './push-context.js'
import type { ReadContent } from './read-content.js'

const [OLD, NEW] = ['aa', 'bb'] as [ChunkId, ChunkId]
const node = '1'.repeat(32) as NodeId

/** A space that receives an edit of `f` between any two reads of it. */
function spaceThatMovesOn(): SpaceBinding['received'] {
  let root = OLD
  const entryOf = (): ViewEntry => ({
    parent: ROOT,
    name: 'f',
    kind: 'file',
    node,
    backing: [node],
    role: 'main',
    executable: false,
    version: { root, height: 0, size: 1, mtimeMs: 0, dots: [] },
  })
  const registersOf = (value: ChunkId) => ({ id: node, kind: 'file', content: [{ value: { root: value } }] })
  const parts = {
    lookup: async () => entryOf(),
    entry: async () => undefined,
    node: async () => {
      root = NEW
      return registersOf(root) as unknown as NodeEntry
    },
  }
  return parts as unknown as SpaceBinding['received']
}

test('[NL11] what is adopted are registers that are no newer than the entry that was compared', async () => {
  const context: PushContext = {
    space: { received: spaceThatMovesOn() } as SpaceBinding,
    rows: new RowsStore(new MemoryKeyValueStore()),
    files: nodeFileSystem,
    clock: { nowMs: Date.now },
    directory: '/',
    problems: new Problems(),
    onEvent: () => undefined,
  }
  const stat = { ...nodeFileSystem.lstat('/')!, kind: 'file' } as const
  const dir = DirRef.root('1')
  const read = { content: { root: OLD }, stat, isRacy: false } as ReadContent
  const item = { type: 'create', path: 'f', dir, name: 'f', entryName: 'f', stat } as const
  const [adoption] = await findAdoptions(context, [{ item, read }])
  expect(adoption!.materialised.nodes.map(({ content }) => content[0]!.value.root)).toEqual([NEW])
  expect(adoption!.entry.version!.root).toBe(NEW)
  expect(adoption!.isEqual).toBe(false)
})
