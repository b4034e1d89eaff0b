import { MemoryKeyValueStore, type SpaceBinding, type ViewEntry } from '@tidemark/engine'
import { ROOT } from '@tidemark/protocol'
import { beforeEach, expect, test } from 'vitest'
import type { FileStat } from '../ports/file-system.js'
import type { SyncedRow } from '../rows.js'
import { RowsStore, rowOps } from '../rows-store.js'
import { DirRef } from './dir-ref.js'
import type { Item } from './item.js'
import { keepUnsent } from './keep-unsent.js'
import type { PushContext } from './push-context.js'
import { Unsent } from './unsent.js'

let store: MemoryKeyValueStore
let touched: string[]
/** What the space shows. */
let shown: Map<string, ViewEntry>

beforeEach(() => {
  store = new MemoryKeyValueStore()
  touched = []
  shown = new Map()
})

/** A directory that both sides have; its key is its name. */
async function directory(name: string, parent: string = ROOT): Promise<SyncedRow> {
  const fingerprint: FileStat = {
    kind: 'dir',
    dev: '1',
    ino: `${name.charCodeAt(0)}`,
    birthtimeNs: '1',
    size: 0,
    mtimeNs: '1',
    ctimeNs: '1',
    mode: 0o755,
    nlink: 1,
    allocatedBytes: 0,
  }
  const entry = { parent, name, kind: 'dir', node: name, backing: [name], role: 'main', executable: false }
  const row = { key: name, dir: parent, localName: name, entry, fingerprint } as unknown as SyncedRow
  await store.batch(rowOps([{ before: undefined, after: row }]), { sync: false })
  shown.set(name, row.entry)
  return (await new RowsStore(store).get(name))!
}

const movedInto = (row: SyncedRow, dir: SyncedRow): Item => {
  const name = row.localName
  const stat = { ...row.fingerprint, kind: 'dir' } as FileStat
  const ref = DirRef.ofRow(dir, dir.localName, dir.fingerprint.ino)
  return { type: 'move', path: ref.pathOf(name), row, dir: ref, name, entryName: name, stat }
}

const deleted = (row: SyncedRow, top = row): Item => {
  const path = row.localName
  return { type: 'delete', path, row, top: { path, row: top }, isDisplaced: false, isIgnored: false }
}

const showIn = (row: SyncedRow, dir: SyncedRow) =>
  shown.set(row.key, { ...row.entry, parent: dir.entry.node })

/** @returns what is noted. */
async function keep(...items: readonly Item[]): Promise<string[]> {
  const space = {
    received: { entry: async (key: string) => shown.get(key) },
    touch: async (keys: readonly string[]) => void touched.push(...keys),
    writeRows: (ops, options) => store.batch(ops, options),
  } as Partial<SpaceBinding>
  const context = { space, rows: new RowsStore(store) } as PushContext
  const unsent = new Unsent()
  const planned = items.map((item) => ({ item }))
  await keepUnsent(planned, unsent, { context, isImport: false, onStale: () => undefined })
  unsent.settle()
  return unsent.list().map(({ type, path }) => `${type} ${path}`)
}

const dirOf = async (key: string) => (await new RowsStore(store).get(key))?.dir

test('[AC2] what others moved to the same place stands there for the rows, and is looked at', async () => {
  const [d, e] = [await directory('d'), await directory('e')]
  showIn(d, e)
  expect([await keep(movedInto(d, e)), await dirOf('d'), touched]).toEqual([[], 'e', ['d']])
})

test('[AC2] what others have elsewhere, or still have, is noted', async () => {
  const [d, e, gone] = [await directory('d'), await directory('e'), await directory('gone')]
  expect(await keep(movedInto(d, e), deleted(gone))).toEqual(['move e/d', 'delete gone'])
  expect([await dirOf('d'), await dirOf('gone'), touched]).toEqual([ROOT, ROOT, []])
})

test('[AC2] a directory comes to stand in none that is in it for the rows', async () => {
  const d = await directory('d')
  const x = await directory('x', 'd')
  const e = await directory('e')
  // On disk: x/e/d.
  showIn(e, x)
  showIn(d, e)
  expect(await keep(movedInto(e, x), movedInto(d, e))).toEqual(['move e/d'])
  expect([await dirOf('e'), await dirOf('d')]).toEqual(['x', ROOT])
})

test('[AC2] a directory that others deleted too has a row as long as something in it has one', async () => {
  const d = await directory('d')
  const x = await directory('x', 'd')
  shown.delete('d')
  expect(await keep(deleted(x, d), deleted(d))).toEqual(['delete d', 'delete x'])
  expect([await dirOf('x'), await dirOf('d')]).toEqual(['d', ROOT])
  shown.delete('x')
  expect(await keep(deleted(x, d), deleted(d))).toEqual([])
  expect([await dirOf('x'), await dirOf('d')]).toEqual([undefined, undefined])
})
