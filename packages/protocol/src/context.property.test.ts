import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Context, contextHas, makeContext, unionContexts } from './context.js'
import { type Dot, dotKey } from './dot.js'
import type { ReplicaId } from './ids.js'

const RIDS = ['aaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbb', 'cccccccccccccccc'] as ReplicaId[]

/** A sibling with its context, and beside it the reference: every dot that its author had observed. */
interface Written {
  readonly dot: Dot
  readonly ctx: Context
  readonly observed: ReadonlySet<string>
}

type Covers = (y: Written, x: Written) => boolean
const byContext: Covers = (y, x) => contextHas(y.ctx, x.dot)
const byReference: Covers = (y, x) => y.observed.has(dotKey(x.dot))

function join(siblings: readonly Written[], covers: Covers): Written[] {
  const distinct = [...new Map(siblings.map((s) => [dotKey(s.dot), s])).values()]
  return distinct.filter((x) => !distinct.some((y) => covers(y, x)))
}

const dotsOf = (siblings: readonly Written[]) => siblings.map((s) => dotKey(s.dot)).sort()

interface Replica {
  /** What was received and written, and the same by the reference. */
  received: Written[]
  reference: Written[]
  /** What is on disk: an older state, which is all that the user can observe. */
  disk: Written[]
  seq: number
}

/**
 * One register at three replicas. A user writes upon a random part of what is on disk; replicas send
 * their whole register; a replica brings what it received to its disk. Sequence numbers skip, because
 * other registers use them too.
 */
const step = fc.oneof(
  fc.record({ kind: fc.constant('write' as const), at: fc.nat(2), picks: fc.nat(255), skip: fc.nat(2) }),
  fc.record({ kind: fc.constant('send' as const), at: fc.nat(2), to: fc.nat(2) }),
  fc.record({ kind: fc.constant('apply' as const), at: fc.nat(2) }),
)

function write(replica: Replica, rid: ReplicaId, picks: number, skip: number): Written {
  const observed = replica.disk.filter((_, i) => (picks >> (i % 8)) & 1)
  const observedKeys = new Set(observed.map((s) => dotKey(s.dot)))
  const known = [...replica.received, ...replica.disk]
  replica.seq += 1 + skip
  return {
    dot: { rid, seq: replica.seq },
    ctx: makeContext(
      observed.map((s) => s.ctx),
      observed.map((s) => s.dot),
      known.map((s) => s.dot).filter((dot) => !observedKeys.has(dotKey(dot))),
    ),
    observed: new Set([...observedKeys, ...observed.flatMap((s) => [...s.observed])]),
  }
}

describe('context', () => {
  test('[CX1] writers who observe a random part of a register: the result equals the reference with explicit dot sets', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
        const replicas = RIDS.map((): Replica => ({ received: [], reference: [], disk: [], seq: 0 }))
        for (const s of steps) {
          const replica = replicas[s.at]!
          if (s.kind === 'write') {
            const written = write(replica, RIDS[s.at]!, s.picks, s.skip)
            replica.received = join([...replica.received, written], byContext)
            replica.reference = join([...replica.reference, written], byReference)
            replica.disk = join([...replica.disk, written], byContext)
          } else if (s.kind === 'send') {
            const other = replicas[s.to]!
            other.received = join([...other.received, ...replica.received], byContext)
            other.reference = join([...other.reference, ...replica.reference], byReference)
          } else replica.disk = replica.received
          for (const { received, reference } of replicas) expect(dotsOf(received)).toEqual(dotsOf(reference))
        }
      }),
      { numRuns: 1_500 },
    )
  })

  const dot: fc.Arbitrary<Dot> = fc.record({
    rid: fc.constantFrom(...RIDS),
    seq: fc.integer({ min: 1, max: 6 }),
  })
  const universe = RIDS.flatMap((rid) => [1, 2, 3, 4, 5, 6, 7].map((seq) => ({ rid, seq })))
  const context = fc
    .tuple(fc.array(fc.tuple(fc.constantFrom(...RIDS), fc.integer({ min: 1, max: 6 }))), fc.array(dot))
    .map(([entries, dots]) => {
      const vector = new Map(entries)
      return { vector, except: dots.filter((d) => (vector.get(d.rid) ?? 0) >= d.seq) }
    })

  test('[CX2] a union holds exactly the dots of either part', () => {
    fc.assert(
      fc.property(context, context, (a, b) => {
        const union = unionContexts(a, b)
        for (const d of universe) expect(contextHas(union, d)).toBe(contextHas(a, d) || contextHas(b, d))
      }),
    )
  })

  test('[CX3] a made context holds every observed dot and part, and no unobserved dot that no part holds', () => {
    fc.assert(
      fc.property(
        fc.array(context, { maxLength: 3 }),
        fc.array(dot),
        fc.array(dot),
        (parts, dots, unobserved) => {
          const made = makeContext(parts, dots, unobserved)
          const named = new Set(dots.map(dotKey))
          for (const d of universe) {
            const isObserved = named.has(dotKey(d)) || parts.some((part) => contextHas(part, d))
            if (isObserved) expect(contextHas(made, d)).toBe(true)
            else if (unobserved.some((u) => dotKey(u) === dotKey(d))) expect(contextHas(made, d)).toBe(false)
            // An exception that a part brought stays one unless somebody observed the dot.
            else if (parts.some((part) => part.except.some((e) => dotKey(e) === dotKey(d)))) {
              expect(contextHas(made, d)).toBe(false)
            }
          }
        },
      ),
    )
  })
})
