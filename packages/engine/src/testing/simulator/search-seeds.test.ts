import { expect, test } from 'vitest'
import { searchSeeds, tellFindings } from './search-seeds.js'

test('seeds until a mistake is noticed are counted from each seed of the range', async () => {
  const found = await searchSeeds([1, 2, 3, 4, 5], async (seed) =>
    seed === 3 || seed === 4 ? 'J5' : undefined,
  )
  // From 1: three seeds; from 2: two; from 3 and from 4: one; from 5 nobody knows.
  expect(found.medianSeeds).toBe(1)
  expect(tellFindings('late', found)).toBe(
    'late: noticed by 2 of 5 seeds (J5 2); first 3, median until noticed 1',
  )
  const nothing = await searchSeeds([1, 2], async () => undefined)
  expect(tellFindings('never', nothing)).toBe('never: noticed by none of 2 seeds')
})
