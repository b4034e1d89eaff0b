import { MemoryKeyValueStore, type ViewEntry } from '@tidemark/engine'
import { ROOT } from '@tidemark/protocol'
import { describe, expect, test } from 'vitest'
import type { SyncedRow } from '../rows.js'
import { RowsStore, rowOps } from '../rows-store.js'
import { type Planned, planRows, type RowPlan } from './commit-rows.js'

type Version = NonNullable<ViewEntry['version']>

const NODE = '1'.repeat(32) as ViewEntry['node']
const OTHER = '2'.repeat(32) as ViewEntry['node']
const version = (digit: string): Version => {
  return { root: digit.repeat(64) as Version['root'], height: 0, size: 1, mtimeMs: 1, dots: [] }
}
const entryOf = (name: string, digit: string, node = NODE): ViewEntry => ({
  parent: ROOT,
  name,
  kind: 'file',
  node,
  backing: [node],
  role: 'main',
  executable: false,
  version: version(digit),
})
const stamps = {
  dev: '1',
  ino: '1',
  birthtimeNs: '1',
  size: 1,
  mtimeNs: '1',
  ctimeNs: '1',
  mode: 0o644,
  nlink: 1,
}
const row: SyncedRow = { key: NODE, dir: ROOT, localName: 'f', entry: entryOf('f', 'a'), fingerprint: stamps }

async function rowsWith(...rows: readonly SyncedRow[]): Promise<RowsStore> {
  const store = new MemoryKeyValueStore()
  await store.batch(rowOps(rows.map((after) => ({ before: undefined, after }))), { sync: false })
  return new RowsStore(store)
}

test('an entry that a commit brings up and that no file stands for is touched', async () => {
  const result = { created: new Map(), changes: [{ key: NODE, after: entryOf('f', 'a') }] }
  expect(await planRows(await rowsWith(), [], result)).toMatchObject({ changes: [], touch: [NODE] })
})

test('an entry that is deleted and shown as before is touched', async () => {
  const top = { path: 'f', row }
  const planned: Planned[] = [
    { item: { type: 'delete', path: 'f', row, top, isDisplaced: false, isIgnored: false } },
  ]
  const { changes, touch } = await planRows(await rowsWith(row), planned, { created: new Map(), changes: [] })
  expect(changes).toEqual([{ before: row, after: undefined }])
  expect(touch).toEqual([NODE])
})

test('a row keeps the version that is on disk when the space shows another, and is touched', async () => {
  const result = { created: new Map(), changes: [{ key: NODE, before: row.entry, after: entryOf('f', 'b') }] }
  const { changes, touch } = await planRows(await rowsWith(row), [], result)
  expect(changes.map(({ after }) => after!.entry.version)).toEqual([version('a')])
  expect(touch).toEqual([NODE])
})

test('of two files that change places one that stands where the space shows the other still keeps its key', async () => {
  const stat = { ...stamps, kind: 'file' as const, allocatedBytes: 4_096 }
  const there: SyncedRow = {
    key: OTHER,
    dir: ROOT,
    localName: 'f',
    entry: entryOf('g', 'b', OTHER),
    fingerprint: stamps,
  }
  const edited: SyncedRow = { ...row, localName: 'g' }
  const planned: Planned[] = [
    { item: { type: 'verify', path: 'f', row: there, stat } },
    { item: { type: 'verify', path: 'g', row: edited, stat } },
  ]
  const result = { created: new Map(), changes: [{ key: NODE, before: row.entry, after: entryOf('f', 'c') }] }
  const { changes } = await planRows(await rowsWith(there, edited), planned, result)
  expect(changes.map(({ after }) => [after!.key, after!.localName, after!.entry.version])).toEqual([
    [OTHER, 'f', version('b')],
    [NODE, 'g', version('c')],
  ])
})

test('a conflict copy that was edited is the file that the space makes of it, whatever that is called (seed 472108)', async () => {
  const stat = { ...stamps, kind: 'file' as const, allocatedBytes: 4_096 }
  const key = `${NODE}:${version('a').root}`
  const copy: SyncedRow = { ...row, key, localName: 'f (abcd)', entry: entryOf('f (abc)', 'a') }
  const made = entryOf('f (abc)', 'b', OTHER)
  const changes = [
    { key, before: copy.entry },
    { key: OTHER, after: made },
  ]
  const read = { content: version('b'), stat, isRacy: false }
  const edit: Planned = { item: { type: 'verify', path: 'f (abcd)', row: copy, stat }, read }
  const plan = await planRows(await rowsWith(copy), [edit], { created: new Map(), changes })
  expect(plan.changes.map(({ after }) => after && [after.key, after.localName, after.entry])).toEqual([
    undefined,
    [OTHER, 'f (abcd)', made],
  ])
  expect(plan.touch).toEqual([OTHER])
})

describe('two files that are one entry after an edit', () => {
  const second: SyncedRow = { ...row, key: OTHER, localName: 'f (2)', entry: entryOf('f (2)', 'b', OTHER) }
  const stat = { ...stamps, kind: 'file' as const, allocatedBytes: 4_096 }
  const gone = { key: OTHER, before: second.entry }
  const edit = (of: SyncedRow, digit: string): Planned => ({
    item: { type: 'verify', path: of.localName, row: of, stat },
    read: { content: version(digit), stat, isRacy: false },
  })
  const afterOf = ({ changes }: RowPlan, key: string) =>
    changes.find(({ after }) => after?.key === key)?.after

  test('the edited one, shown no more, keeps its row with what it holds, and is taken away', async () => {
    const changes = [{ key: NODE, before: row.entry, after: entryOf('f', 'a') }, gone]
    const plan = await planRows(await rowsWith(row, second), [edit(second, 'a')], {
      created: new Map(),
      changes,
    })
    expect(afterOf(plan, OTHER)).toMatchObject({ localName: 'f (2)', entry: { version: version('a') } })
    expect(plan.touch).toContain(OTHER)
  })

  test('the other one, shown no more, keeps its row, and is taken away', async () => {
    const changes = [{ key: NODE, before: row.entry, after: entryOf('f', 'b') }, gone]
    const plan = await planRows(await rowsWith(row, second), [edit(row, 'b')], {
      created: new Map(),
      changes,
    })
    expect(plan.changes.map(({ before }) => before?.key)).toEqual([NODE])
    expect(plan.touch).toContain(OTHER)
  })

  test('the one at the entry’s place gets its key, the other one the key that is left', async () => {
    const shown = entryOf('f', 'a', OTHER)
    const changes = [
      { key: NODE, before: row.entry },
      { key: OTHER, before: second.entry, after: shown },
    ]
    const rows = await rowsWith(row, second)
    const plan = await planRows(rows, [edit(second, 'a')], { created: new Map(), changes })
    expect(afterOf(plan, OTHER)).toMatchObject({ localName: 'f', entry: shown })
    expect(afterOf(plan, NODE)).toMatchObject({ localName: 'f (2)', entry: { version: version('a') } })
    expect(plan.touch).toContain(NODE)
  })
})

test('what was given up, and is looked at before it goes, does not take the key of its entry from another', async () => {
  const stat = { ...stamps, ino: '2', kind: 'file' as const, allocatedBytes: 4_096 }
  const givenUp: SyncedRow = { ...row, key: `${NODE}:${version('a').root}`, localName: 'g' }
  const planned: Planned[] = [{ item: { type: 'verify', path: 'g', row: givenUp, stat } }]
  const nothing = { created: new Map(), changes: [] }
  const { changes } = await planRows(await rowsWith(row, givenUp), planned, nothing)
  expect(changes.map(({ before, after }) => [before?.key, after?.key, after?.fingerprint.ino])).toEqual([
    [givenUp.key, givenUp.key, '2'],
  ])
})
