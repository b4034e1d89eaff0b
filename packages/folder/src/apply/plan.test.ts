import { expect, test } from 'vitest'
import { pairRows } from './pair.js'
import { plan } from './plan.js'
import type { Thing } from './testing/fake-space.js'
import { itemsBetween, keyOf, rowOf } from './testing/model-disk.js'

const D = (id: number, name: string, below = 0): Thing => ({ id, in: below, name })
const F = (id: number, name: string, bytes = `bytes ${id}`, below = 0): Thing => ({
  id,
  in: below,
  name,
  bytes,
})

/** `type name` of each step, and the names that wait. */
function planned(before: readonly Thing[], after: readonly Thing[], blocked: readonly Thing[] = []) {
  const items = pairRows(itemsBetween(before, after))
  const keys = new Set(items.map(({ key }) => key))
  const rows = before.map(rowOf)
  const dirs = new Map(rows.filter(({ entry }) => entry.kind === 'dir').map((row) => [row.key, row]))
  const settled = rows.filter(({ key }) => !keys.has(key))
  const result = plan({ items, dirs, settled, blocked: new Set(blocked.map(keyOf)) })
  return [
    ...result.steps.map(
      ({ type, item }) => `${type} ${(item.want ?? item.row?.entry)?.name ?? item.key.slice(-1)}`,
    ),
    ...result.deferred.map((key) => `wait ${key.replace(/^0+/, '').slice(0, 1)}`),
  ]
}

const cases: readonly [rule: string, before: Thing[], after: Thing[], steps: string[]][] = [
  [
    'directories are made before what is in them',
    [],
    [F(1, 'f', 'x', 2), D(2, 'd')],
    ['mkdir d', 'create f'],
  ],
  ['what is in a directory goes before it', [D(1, 'd'), F(2, 'f', 'x', 1)], [], ['remove f', 'rmdir d']],
  ['a file moves by name', [F(1, 'f')], [F(1, 'g', 'bytes 1')], ['move g']],
  ['a move with new bytes is two steps', [F(1, 'f', 'x')], [F(1, 'g', 'y')], ['move g', 'replace g']],
  [
    'a chain of names frees each place first',
    [F(1, 'a'), F(2, 'b')],
    [F(1, 'b', 'bytes 1'), F(2, 'c', 'bytes 2')],
    ['move c', 'move b'],
  ],
  [
    'a swap lifts one',
    [F(1, 'a'), F(2, 'b')],
    [F(1, 'b', 'bytes 1'), F(2, 'a', 'bytes 2')],
    ['lift b', 'move a', 'land b'],
  ],
  [
    'a place is freed by a delete',
    [F(1, 'a', 'x'), F(2, 'b')],
    [F(2, 'a', 'bytes 2')],
    ['remove a', 'move a'],
  ],
  [
    'a file becomes a directory',
    [F(1, 'a')],
    [D(2, 'a'), F(3, 'in', 'y', 2)],
    ['remove a', 'mkdir a', 'create in'],
  ],
  [
    'a directory becomes a file',
    [D(1, 'a'), F(2, 'in', 'y', 1)],
    [F(3, 'a', 'z')],
    ['remove in', 'rmdir a', 'create a'],
  ],
  [
    'a directory moves below one that it held',
    [D(1, 'a'), D(2, 'b', 1)],
    [D(2, 'b'), D(1, 'a', 2)],
    ['move b', 'move a'],
  ],
  [
    'a deleted and a new entry with equal bytes are a move',
    [F(1, 'a', 'x')],
    [F(2, 'b', 'x')],
    ['note 1', 'move b'],
  ],
  ['equal bytes at one place need nothing', [F(1, 'a', 'x')], [F(2, 'a', 'x')], ['note 1', 'note a']],
]
test.each(cases)('%s', (_, before, after, steps) => {
  expect(planned(before, after)).toEqual(steps)
})

test('what is in a directory that cannot be made waits', () => {
  expect(planned([], [D(1, 'd'), F(2, 'f', 'x', 1)], [D(1, 'd')])).toEqual(['wait 1', 'wait 2'])
})

test('a swap of which one half is blocked is not begun', () => {
  const [a, b] = [F(1, 'a'), F(2, 'b')]
  expect(planned([a, b], [F(1, 'b', 'bytes 1'), F(2, 'a', 'bytes 2')], [a])).toEqual(['wait 1', 'wait 2'])
})

test('a version that waits holds back the other entries of its node, but a new version alone does not', () => {
  const copy = (bytes: string): Thing => ({ ...F(1, `copy ${bytes}`, bytes), isCopy: true })
  expect(planned([F(1, 'f', 'v1'), copy('v2')], [F(1, 'f', 'v3')], [F(1, 'f')])).toEqual(['wait 1', 'wait 1'])
  expect(planned([F(1, 'f', 'v1')], [F(1, 'f', 'v3'), copy('v1')], [copy('v1')])).toEqual([
    'replace f',
    'wait 1',
  ])
})
