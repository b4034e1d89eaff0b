import { MemoryKeyValueStore } from '@tidemark/engine'
import { ROOT } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import type { SyncedRow } from '../rows.js'
import { RowsStore, rowOps } from '../rows-store.js'
import { mendCrossed } from './crossed.js'
import type { PushContext } from './push-context.js'

const stamps = { dev: '1', birthtimeNs: '0', size: 1, mtimeNs: '0', ctimeNs: '0', mode: 0o644, nlink: 1 }

function rowAt(digit: string, localName: string, ino: string): SyncedRow {
  const node = digit.repeat(32) as SyncedRow['entry']['node']
  const backing = [node]
  return {
    key: node,
    dir: ROOT,
    localName,
    entry: { parent: ROOT, name: localName, kind: 'file', node, backing, role: 'main', executable: false },
    fingerprint: { ...stamps, ino },
  }
}

test('[FB10] a place whose row is that of an entry elsewhere is cleared, and nothing else', async () => {
  const store = new MemoryKeyValueStore()
  const rows = new RowsStore(store)
  const [old, now, other] = [rowAt('1', 'old', '7'), rowAt('1', 'now', '8'), rowAt('2', 'other', '9')]
  const put = (row: SyncedRow) => store.batch(rowOps([{ before: undefined, after: row }]), { sync: false })
  for (const row of [old, now, other]) await put(row)
  const touched: string[] = []
  const space = {
    touch: async (keys: readonly string[]) => void touched.push(...keys),
    writeRows: store.batch.bind(store),
  }
  expect(await mendCrossed({ rows, space: space as unknown as PushContext['space'] })).toBe(1)
  expect(touched).toEqual([old.key])
  expect(await rows.at(ROOT, 'old')).toBeUndefined()
  expect(await rows.byInode('1', '7')).toEqual([])
  expect(await rows.get(old.key)).toEqual(now)
  expect(await rows.get(other.key)).toEqual(other)
  expect(await mendCrossed({ rows, space: space as unknown as PushContext['space'] })).toBe(0)
})
