import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SortedMap } from './sorted-map.js'

const key = fc.integer({ min: 0, max: 900 }).map((n) => `k${n}`)
const command = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('set' as const), key, value: fc.nat(9) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('delete' as const), key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fork' as const) }) },
)

const inOrder = (model: ReadonlyMap<string, number>) => [...model].sort(([a], [b]) => (a < b ? -1 : 1))

describe('sorted map', () => {
  it('is a map in key order, and a fork never sees what the other changes', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 1500, size: 'max' }), key, key, (commands, gte, lt) => {
        const map = SortedMap.empty<number>()
        const model = new Map<string, number>()
        const forks: [SortedMap<number>, [string, number][]][] = []
        for (const command of commands) {
          if (command.do === 'set') {
            map.set(command.key, command.value)
            model.set(command.key, command.value)
          } else if (command.do === 'delete') {
            map.delete(command.key)
            model.delete(command.key)
          } else if (forks.length < 20) forks.push([map.fork(), inOrder(model)])
        }
        expect([...map.range('', '~')]).toEqual(inOrder(model))
        expect([...map.range(gte, lt)]).toEqual(inOrder(model).filter(([k]) => k >= gte && k < lt))
        for (const [k, value] of model) expect(map.get(k)).toBe(value)
        expect(map.get(gte)).toBe(model.get(gte))
        for (const [fork, entries] of forks) expect([...fork.range('', '~')]).toEqual(entries)
      }),
      { numRuns: 100 },
    )
  })

  it('a change of a fork is not seen by the map it came from', () => {
    const map = SortedMap.empty<number>()
    map.set('a', 1)
    const fork = map.fork()
    fork.set('a', 2)
    fork.set('b', 2)
    expect([...map.range('', '~')]).toEqual([['a', 1]])
    expect([...fork.range('', '~')]).toEqual([
      ['a', 2],
      ['b', 2],
    ])
  })
})
