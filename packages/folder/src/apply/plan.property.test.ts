import fc from 'fast-check'
import { expect, test } from 'vitest'
import { pairRows } from './pair.js'
import { plan } from './plan.js'
import type { Thing } from './testing/fake-space.js'
import { itemsBetween, keyOf, ModelDisk, modelTree, rowOf } from './testing/model-disk.js'

interface Choice {
  readonly isPresent: boolean
  readonly above: number
  readonly name: string
  readonly bytes: string
}

const IDS = 9
const choices = fc.array(
  fc.record<Choice>({
    isPresent: fc.boolean(),
    above: fc.nat(IDS),
    name: fc.constantFrom('a', 'b', 'c'),
    bytes: fc.constantFrom('1', '2', '3'),
  }),
  { minLength: IDS, maxLength: IDS },
)

/** Directories have the first ids; a thing whose directory is absent, or above whom it stands, is at the root. */
function treeFrom(choice: readonly Choice[]): Thing[] {
  const things: Thing[] = []
  const taken = new Set<string>()
  const isDirectory = (id: number) => id <= 5
  const above = (id: number) => choice[id - 1]!.above % 6
  for (const [i, { isPresent, name, bytes }] of choice.entries()) {
    const id = i + 1
    if (!isPresent) continue
    let into = above(id)
    for (let at = into, steps = 0; at !== 0; at = above(at)) {
      if (!choice[at - 1]!.isPresent || at === id || ++steps > IDS) {
        into = 0
        break
      }
    }
    let free = name
    while (taken.has(`${into}/${free}`)) free += name
    taken.add(`${into}/${free}`)
    things.push({ id, in: into, name: free, ...(isDirectory(id) ? {} : { bytes }) })
  }
  return things
}

const trees = choices.map(treeFrom)
const dirsOf = (things: readonly Thing[]) =>
  new Map(things.filter(({ bytes }) => bytes === undefined).map((thing) => [keyOf(thing), rowOf(thing)]))

test('[PL17] a plan between any two trees is possible step by step and gives the second', () => {
  fc.assert(
    fc.property(trees, trees, (before, after) => {
      const items = pairRows(itemsBetween(before, after))
      const settled = before.map(rowOf).filter(({ key }) => !items.some((item) => item.key === key))
      const { steps, deferred } = plan({ items, dirs: dirsOf(before), settled, blocked: new Set() })
      const disk = new ModelDisk(before)
      for (const step of steps) disk.perform(step)
      expect(disk.tree()).toEqual(modelTree(after))
      expect(deferred).toEqual([])
    }),
    { numRuns: 3_000 },
  )
})

test('[PL17] the plan does not depend on the order of the entries', () => {
  fc.assert(
    fc.property(trees, trees, fc.infiniteStream(fc.nat()), (before, after, numbers) => {
      const items = itemsBetween(before, after)
      const shuffled = items
        .map((item) => ({ item, at: numbers.next().value! }))
        .sort((a, b) => a.at - b.at)
        .map(({ item }) => item)
      const planned = (list: typeof items) =>
        plan({ items: pairRows(list), dirs: dirsOf(before), settled: [], blocked: new Set() })
      expect(planned(shuffled)).toEqual(planned(items))
    }),
    { numRuns: 500 },
  )
})

test('[PL17] blocked entries stay untouched, whatever else is planned stays possible', () => {
  fc.assert(
    fc.property(trees, trees, fc.array(fc.nat(IDS), { maxLength: 3 }), (before, after, blockedIds) => {
      const items = pairRows(itemsBetween(before, after))
      const settled = before.map(rowOf).filter(({ key }) => !items.some((item) => item.key === key))
      const blocked = new Set(items.filter((_, i) => blockedIds.includes(i)).map(({ key }) => key))
      const { steps, deferred } = plan({ items, dirs: dirsOf(before), settled, blocked })
      const disk = new ModelDisk(before)
      for (const step of steps) {
        expect(blocked.has(step.item.key)).toBe(false)
        disk.perform(step)
      }
      const lifted = steps.filter(({ type }) => type === 'lift').length
      expect(steps.filter(({ type }) => type === 'land').length).toBe(lifted)
      for (const key of blocked) expect(deferred).toContain(key)
    }),
    { numRuns: 3_000 },
  )
})
