import { MemoryKeyValueStore, type SpaceBinding, type ViewEntry } from '@tidemark/engine'
import { type NodeId, ROOT } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { nodeFileSystem } from '../adapters/node-file-system.js'
import { Problems } from '../problems.js'
import type { SyncedRow } from '../rows.js'
import { RowsStore, rowOps } from '../rows-store.js'
import { mendOrphans } from './orphans.js'
import { RefusedFiles } from './refused.js'

const [GONE, TWIN, LINK] = ['1', '2', '3'].map((digit) => digit.repeat(32)) as [NodeId, NodeId, NodeId]

const entryOf = (node: NodeId, parent: NodeId, name: string, kind: ViewEntry['kind']): ViewEntry => ({
  parent,
  name,
  kind,
  node,
  backing: [node],
  role: 'main',
  executable: false,
})

const rowOf = (entry: ViewEntry): SyncedRow => ({
  key: entry.node,
  dir: entry.parent,
  localName: entry.name,
  entry,
  fingerprint: { ...nodeFileSystem.lstat('/')!, kind: entry.kind } as SyncedRow['fingerprint'],
})

test('[FB13] a directory that gets the row of what stood in another one is looked at (seed 695 of 120 steps)', async () => {
  const storage = new MemoryKeyValueStore()
  const rows = new RowsStore(storage)
  const [twin, link] = [entryOf(TWIN, ROOT, 'x', 'dir'), entryOf(LINK, GONE, 'a', 'symlink')]
  const stored = [twin, link].map((entry) => ({ before: undefined, after: rowOf(entry) }))
  await storage.batch(rowOps(stored), { sync: true })
  const space = {
    synced: { entry: async () => ({ ...link, parent: TWIN }) },
    touch: async () => undefined,
    writeRows: (ops: Parameters<SpaceBinding['writeRows']>[0]) => storage.batch(ops, { sync: true }),
  } as unknown as SpaceBinding
  const context = { space, rows, files: nodeFileSystem, clock: { nowMs: Date.now }, directory: '/' }
  const around = { problems: new Problems(), refused: new RefusedFiles(), onEvent: () => undefined }
  expect(await mendOrphans({ ...context, ...around })).toEqual(['x'])
  expect((await rows.at(TWIN, 'a'))?.key).toBe(LINK)
})
