import { expect, test } from 'vitest'
import type { SyncedRow } from '../rows.js'
import { DirRef } from './dir-ref.js'
import { type Occupied, resolve } from './resolve.js'

/** A directory where the row says that a file stands. */
const occupied = (key: string): Occupied => ({
  dir: DirRef.root('1'),
  name: key,
  stat: { kind: 'dir' } as Occupied['stat'],
  row: { key, entry: { kind: 'file' } } as SyncedRow,
  owner: undefined,
})
const input = { moved: [], occupied: [occupied('a'), occupied('b')], missing: [] }

test('places that something else took are decided together: one that waited long enough goes on waiting', () => {
  const { waiting, deletes } = resolve(input, (key) => key === 'a')
  expect(waiting).toEqual(['a', 'b'])
  expect(deletes).toEqual([])
})

test('places that something else took are decided when all have waited long enough', () => {
  const { waiting, deletes, creates } = resolve(input, () => true)
  expect(waiting).toEqual([])
  expect(deletes.map(({ key }) => key)).toEqual(['a', 'b'])
  expect(creates).toHaveLength(2)
})
