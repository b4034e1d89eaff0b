import { MemoryKeyValueStore, type ViewEntry } from '@tidemark/engine'
import { type ChunkId, type NodeId, ROOT } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import type { SyncedRow } from './rows.js'
import { RowsStore, rootOps, rowOps } from './rows-store.js'

const id = (n: number) => n.toString(16).padStart(32, '0') as NodeId

function row(n: number, dir: NodeId, localName: string, more: Partial<SyncedRow> = {}): SyncedRow {
  const entry: ViewEntry = {
    parent: dir,
    name: localName,
    kind: 'dir',
    node: id(n),
    backing: [id(n)],
    role: 'main',
    executable: false,
  }
  const fingerprint = {
    dev: '1',
    ino: String(n),
    birthtimeNs: '5',
    size: 0,
    mtimeNs: '6',
    ctimeNs: '7',
    mode: 0o755,
    nlink: 1,
  }
  return { key: id(n), dir, localName, entry, fingerprint, ...more }
}

async function storeWith(...rows: SyncedRow[]) {
  const kv = new MemoryKeyValueStore()
  const rowsStore = new RowsStore(kv)
  await kv.batch(rowOps(rows.map((after) => ({ before: undefined, after }))), { sync: false })
  return { kv, rows: rowsStore }
}

test('a row is found by key, by place, by directory and by inode', async () => {
  const a = row(1, ROOT, 'a b_ü%')
  const b = row(2, id(1), 'b', { racy: true })
  const { rows } = await storeWith(a, b)
  expect(await rows.get(a.key)).toEqual(a)
  expect(await rows.at(ROOT, a.localName)).toEqual(a)
  expect([...(await rows.inDirectory(id(1)))]).toEqual([['b', b]])
  expect(await rows.byInode('1', '2')).toEqual([b])
  expect(await rows.localPathOf(b)).toBe(`${a.localName}/b`)
  expect(await rows.count()).toBe(2)
})

test('of two things that became one entry the one that stands where it is has the row (seed 403893)', async () => {
  const shown = row(1, ROOT, 'a')
  const copy = { ...shown, localName: 'a (conflict)' }
  for (const changes of [
    [shown, copy],
    [copy, shown],
  ]) {
    const { kv, rows } = await storeWith()
    const { ops, displaced } = await rows.change(changes.map((after) => ({ before: undefined, after })))
    await kv.batch(ops, { sync: false })
    expect(displaced).toEqual([copy])
    expect([await rows.get(shown.key), await rows.at(ROOT, copy.localName)]).toEqual([shown, undefined])
    expect([...(await rows.inDirectory(ROOT)).keys()]).toEqual(['a'])
  }
})

test('a large file is found by its root, for as long as it has it', async () => {
  const fileOf = (n: number, root: string, size: number): SyncedRow => {
    const { entry, ...rest } = row(n, ROOT, `file ${n}`)
    const version = { root: root as ChunkId, height: 0, size, mtimeMs: 1, dots: [] }
    return { ...rest, entry: { ...entry, kind: 'file', version } }
  }
  const [large, small] = [fileOf(1, 'aa', 1_000_000), fileOf(2, 'bb', 1_000)]
  const { kv, rows } = await storeWith(large, small)
  expect(await rows.byRoot('aa' as ChunkId)).toEqual(large)
  expect(await rows.byRoot('bb' as ChunkId)).toBeUndefined()
  const edited = fileOf(1, 'cc', 1_000_000)
  await kv.batch((await rows.change([{ before: large, after: edited }])).ops, { sync: false })
  expect(await rows.byRoot('aa' as ChunkId)).toBeUndefined()
  expect(await rows.byRoot('cc' as ChunkId)).toEqual(edited)
  await kv.batch((await rows.change([{ before: edited, after: undefined }])).ops, { sync: false })
  expect(await rows.byRoot('cc' as ChunkId)).toBeUndefined()
})

test('two rows that swap their places in one batch keep both places and both keys', async () => {
  const a = row(1, ROOT, 'a')
  const b = row(2, ROOT, 'b')
  const { kv, rows } = await storeWith(a, b)
  const swapped = [
    { before: a, after: { ...a, localName: 'b' } },
    { before: b, after: { ...b, localName: 'a' } },
  ]
  await kv.batch(rowOps(swapped), { sync: false })
  expect((await rows.at(ROOT, 'a'))?.key).toBe(b.key)
  expect((await rows.at(ROOT, 'b'))?.key).toBe(a.key)
  expect((await rows.get(a.key))?.localName).toBe('b')
})

test('a row that is removed leaves no index behind', async () => {
  const a = row(1, ROOT, 'a')
  const { kv } = await storeWith(a)
  await kv.batch(rowOps([{ before: a, after: undefined }]), { sync: false })
  const left: string[] = []
  for await (const page of kv.range({ gte: ' ', lt: '~' })) left.push(...page.map(([key]) => key))
  expect(left).toEqual([])
})

test('the path of a row below a directory without a row is not known', async () => {
  const { rows } = await storeWith(row(3, id(2), 'c'))
  expect(await rows.localPathOf(row(3, id(2), 'c'))).toBeUndefined()
})

test('the bound directory has a record of its own', async () => {
  const { kv, rows } = await storeWith()
  expect(await rows.root()).toBeUndefined()
  const root = { bindingId: 'x', dev: '1', ino: '2', imported: false }
  await kv.batch(rootOps(root), { sync: true })
  expect(await rows.root()).toEqual(root)
})

test('rows of many inodes are found in one call, and only theirs', async () => {
  const { rows } = await storeWith(
    row(7, ROOT, 'a'),
    row(8, ROOT, 'b'),
    row(9, ROOT, 'c'),
    row(100_000, ROOT, 'd'),
  )
  const found = await rows.byInodes('1', ['7', '9', '100000', '5'])
  expect([...found.keys()].sort()).toEqual(['100000', '7', '9'])
  expect(await rows.byInode('2', '7')).toEqual([])
})

test('directories that rows name and that have no row are found', async () => {
  const { rows } = await storeWith(row(1, ROOT, 'a'), row(2, id(1), 'b'), row(3, id(9), 'c'))
  expect(await rows.orphanDirectories()).toEqual([id(9)])
})

test('a change of rows leaves one row a place and one place a row, and says whom it displaced', async () => {
  const [old, stays, other] = [row(1, ROOT, 'a'), row(2, ROOT, 'b'), row(3, ROOT, 'c')]
  const { kv, rows } = await storeWith(old, stays, other)
  // It was read before `old` had its row: where it says that it stands, `stays` stands.
  const stale = row(1, ROOT, 'b')
  const { ops, displaced } = await rows.change([{ before: stale, after: row(1, ROOT, 'c') }])
  await kv.batch(ops, { sync: false })
  expect(displaced).toEqual([other])
  expect(await rows.inDirectory(ROOT)).toEqual(
    new Map([
      ['b', stays],
      ['c', row(1, ROOT, 'c')],
    ]),
  )
  expect(await rows.getMany([id(1), id(2), id(3)])).toEqual([row(1, ROOT, 'c'), stays, undefined])
})

test('of two that go to one place the later one is there', async () => {
  const { kv, rows } = await storeWith(row(1, ROOT, 'a'))
  const [early, late] = [row(1, ROOT, 'x'), row(2, ROOT, 'x')]
  const { ops, displaced } = await rows.change([early, late].map((after) => ({ before: undefined, after })))
  await kv.batch(ops, { sync: false })
  expect(displaced).toEqual([early])
  expect(await rows.getMany([id(1), id(2)])).toEqual([undefined, late])
  expect(await rows.byInode('1', '1')).toEqual([])
})
