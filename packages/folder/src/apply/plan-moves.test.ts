import { afterEach, expect, test, vi } from 'vitest'
import { pairRows } from './pair.js'
import { PlaceModel } from './place-model.js'
import { plan } from './plan.js'
import type { Thing } from './testing/fake-space.js'
import { itemsBetween, keyOf } from './testing/model-disk.js'

afterEach(() => vi.restoreAllMocks())

const COUNT = 2_000

/** `COUNT` files; `nameOf`: of one by its number, before (0) and after (1). In an order that is not that of their names. */
function renamed(nameOf: (number: number, shift: 0 | 1) => number): [before: Thing[], after: Thing[]] {
  const tree = (shift: 0 | 1) =>
    Array.from({ length: COUNT }, (_, number): Thing => {
      const id = 1 + ((number * 7_919) % COUNT)
      return { id, in: 0, name: `n${nameOf(number, shift)}`, bytes: `${id}` }
    })
  return [tree(0), tree(1)]
}

/** Plans, and counts looks at what blocks something, and copies of the whole model. */
function counted([before, after]: [Thing[], Thing[]], blocked: readonly Thing[] = []) {
  const looks = vi.spyOn(PlaceModel.prototype, 'waitsFor')
  const copies = vi.spyOn(PlaceModel.prototype, 'clone')
  const items = pairRows(itemsBetween(before, after))
  const keys = new Set(blocked.map(keyOf))
  const { steps, deferred } = plan({ items, dirs: new Map(), settled: [], blocked: keys })
  return { steps, deferred, looks: looks.mock.calls.length, copies: copies.mock.calls.length }
}

test.each([
  ['the name of the next one', (number: number, shift: number) => number + shift],
  ['the name of the next one in a circle', (number: number, shift: number) => (number + shift) % COUNT],
  ['each other’s names in pairs', (number: number, shift: number) => (shift === 0 ? number : number ^ 1)],
])('[PL17] where files take %s, the looks that planning takes grow with their number', (_, nameOf) => {
  const { deferred, looks, copies } = counted(renamed(nameOf))
  expect(deferred).toEqual([])
  expect(looks).toBeLessThan(5 * COUNT)
  expect(copies).toBeLessThanOrEqual(1)
})

test('[PL17] so they do where the last of them cannot move', () => {
  const trees = renamed((number, shift) => number + shift)
  const last = trees[0].find(({ name }) => name === `n${COUNT - 1}`)!
  const { steps, deferred, looks, copies } = counted(trees, [last])
  expect(steps).toEqual([])
  expect(deferred.length).toBe(COUNT)
  expect(looks).toBeLessThan(5 * COUNT)
  expect(copies).toBeLessThanOrEqual(1)
})
