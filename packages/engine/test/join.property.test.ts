import { type Content, type DotKey, dotKey, HLC_ZERO, type Register, type Sibling } from '@tidemark/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { covers, joinRegisters, makeSibling } from '../src/core/register.js'
import { c, dot } from './vectors/vocabulary.js'

/**
 * One register at three replicas, as it comes about: users write upon a part of what their disk shows,
 * replicas send what they hold. The reference knows, for each write, every write that its author had seen.
 */
interface Replica {
  received: Register<Content>
  disk: Register<Content>
  seq: number
}

type Step =
  | { readonly kind: 'write'; readonly at: number; readonly picks: number; readonly skip: number }
  | { readonly kind: 'send'; readonly at: number; readonly to: number }
  | { readonly kind: 'apply'; readonly at: number }

const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('write' as const), at: fc.nat(2), picks: fc.nat(255), skip: fc.nat(1) }),
    fc.record({ kind: fc.constant('send' as const), at: fc.nat(2), to: fc.nat(2) }),
    fc.record({ kind: fc.constant('apply' as const), at: fc.nat(2) }),
  ),
  { minLength: 5, maxLength: 40 },
)

interface History {
  readonly replicas: readonly Replica[]
  readonly writes: readonly Sibling<Content>[]
  /** Every write that the author of this one had seen. */
  readonly seen: ReadonlyMap<DotKey, ReadonlySet<DotKey>>
  /** Every state that a replica was in. */
  readonly states: readonly Register<Content>[]
}

function play(script: readonly Step[]): History {
  const replicas: Replica[] = [0, 1, 2].map(() => ({ received: [], disk: [], seq: 0 }))
  const writes: Sibling<Content>[] = []
  const seen = new Map<DotKey, ReadonlySet<DotKey>>()
  const states: Register<Content>[] = [[]]
  for (const step of script) {
    const replica = replicas[step.at]!
    if (step.kind === 'send') {
      const other = replicas[step.to]!
      other.received = joinRegisters(other.received, replica.received)
      states.push(other.received)
    } else if (step.kind === 'apply') {
      replica.disk = joinRegisters(replica.disk, replica.received)
    } else {
      const observed = replica.disk.filter((_, i) => ((step.picks >> (i % 8)) & 1) === 1)
      replica.seq += 1 + step.skip
      const written = makeSibling<Content>({
        register: joinRegisters(replica.received, replica.disk),
        observed,
        dot: dot(`${'abc'.charAt(step.at)}${replica.seq}`),
        hlc: HLC_ZERO,
        value: { root: c(writes.length + 1), height: 0, size: 0, mtimeMs: 0 },
      })
      const keys = observed.map((sibling) => dotKey(sibling.dot))
      seen.set(dotKey(written.dot), new Set([...keys, ...keys.flatMap((key) => [...seen.get(key)!])]))
      writes.push(written)
      replica.received = joinRegisters(replica.received, [written])
      replica.disk = joinRegisters(replica.disk, [written])
      states.push(replica.received)
    }
  }
  return { replicas, writes, seen, states }
}

const names = (register: Register<unknown>): DotKey[] => register.map((sibling) => dotKey(sibling.dot)).sort()

describe('registers as they come about', () => {
  test('[J2] each sibling of either side is in the join, or covered by a sibling of it', () => {
    fc.assert(
      fc.property(steps, fc.nat(), fc.nat(), (script, i, j) => {
        const { states } = play(script)
        const [a, b] = [states[i % states.length]!, states[j % states.length]!]
        const joined = joinRegisters(a, b)
        for (const x of [...a, ...b]) {
          expect(joined.some((y) => dotKey(y.dot) === dotKey(x.dot) || covers(y, x))).toBe(true)
        }
      }),
      { numRuns: 1_000 },
    )
  })

  test('[J3] covers is the strict partial order of who had seen what, among all that ever stood together', () => {
    fc.assert(
      fc.property(steps, (script) => {
        const { writes, seen } = play(script)
        for (const y of writes) {
          expect(covers(y, y)).toBe(false)
          for (const x of writes) {
            const saw = seen.get(dotKey(y.dot))!.has(dotKey(x.dot))
            if (saw) expect(covers(y, x)).toBe(true)
            if (covers(y, x)) expect(covers(x, y)).toBe(false)
          }
        }
      }),
      { numRuns: 1_000 },
    )
  })

  test('[J5] after everybody heard from everybody each register is the join of all writes, by the reference', () => {
    fc.assert(
      fc.property(steps, fc.infiniteStream(fc.nat()), (script, order) => {
        const { replicas, writes, seen } = play(script)
        const isSeen = (x: DotKey) => writes.some((y) => seen.get(dotKey(y.dot))!.has(x))
        const expected = names(writes).filter((key) => !isSeen(key))
        const [a, b, c] = replicas.map(({ received }) => received) as [
          Register<Content>,
          Register<Content>,
          Register<Content>,
        ]
        expect(names(joinRegisters(joinRegisters(a, b), c))).toEqual(expected)
        expect(names(joinRegisters(joinRegisters(c, b), a))).toEqual(expected)
        const ranked = writes.map((write) => ({ write, rank: order.next().value as number }))
        const shuffled = ranked.sort((x, y) => x.rank - y.rank).map(({ write }) => write)
        const joined = shuffled.reduce<Register<Content>>((sum, write) => joinRegisters(sum, [write]), [])
        expect(names(joined)).toEqual(expected)
      }),
      { numRuns: 1_000 },
    )
  })
})
