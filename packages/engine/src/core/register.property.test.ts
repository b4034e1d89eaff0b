import {
  type Content,
  compareDots,
  type Dot,
  decodeNodeEntry,
  dotKey,
  EMPTY_CONTEXT,
  encodeNodeEntry,
  MEMBERS_MAX,
  type NodeEntry,
  type NodeId,
  normalizeDots,
  ProtocolError,
  type Register,
  type ReplicaId,
  type Sibling,
  sameDot,
} from '@tidemark/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareSiblings, covers, joinEntries, joinRegisters, makeSibling } from './register.js'

const RIDS = ['a', 'b', 'c'].map((digit) => digit.repeat(16) as ReplicaId)
const RUNS = { numRuns: 5_000 }

const voidAt = (mtimeMs: number): Content => ({ height: 0, size: 0, mtimeMs })

/** Writers who each observed an arbitrary part of all earlier writes: contexts are exact and closed. */
const arbitraryWrites: fc.Arbitrary<Sibling<Content>[]> = fc
  .array(fc.record({ rid: fc.nat(2), observed: fc.nat(255), ms: fc.nat(3) }), { minLength: 1, maxLength: 8 })
  .map((writes) => {
    const made: Sibling<Content>[] = []
    for (const [i, { rid, observed, ms }] of writes.entries()) {
      const dot: Dot = { rid: RIDS[rid]!, seq: i + 1 }
      const seen = made.filter((_, at) => (observed >> at) & 1)
      made.push(
        makeSibling({ register: made, observed: seen, dot, hlc: { ms, counter: 0 }, value: voidAt(i) }),
      )
    }
    return made
  })

const joinOf = (siblings: Iterable<Sibling<Content>>): Register<Content> => {
  let register: Register<Content> = []
  for (const sibling of siblings) register = joinRegisters(register, [sibling])
  return register
}

/** Three registers that some replicas could hold. */
const arbitraryRegisters = arbitraryWrites.chain((writes) =>
  fc.tuple(fc.subarray(writes), fc.subarray(writes), fc.subarray(writes)).map((parts) => ({
    writes,
    registers: parts.map(joinOf) as [Register<Content>, Register<Content>, Register<Content>],
  })),
)

const dots = (register: Register<unknown>) => register.map((sibling) => dotKey(sibling.dot))

describe('join of registers', () => {
  it('[J1] is associative, commutative and idempotent on registers that replicas can reach', () => {
    fc.assert(
      fc.property(arbitraryRegisters, ({ registers: [a, b, c] }) => {
        expect(joinRegisters(joinRegisters(a, b), c)).toEqual(joinRegisters(a, joinRegisters(b, c)))
        expect(joinRegisters(a, b)).toEqual(joinRegisters(b, a))
        expect(joinRegisters(a, a)).toBe(a)
        expect(joinRegisters(joinRegisters(a, b), b)).toEqual(joinRegisters(a, b))
      }),
      RUNS,
    )
  })

  it('[J2] is inflationary: each sibling of either side is in the result or covered by it', () => {
    fc.assert(
      fc.property(arbitraryRegisters, ({ registers: [a, b] }) => {
        const joined = joinRegisters(a, b)
        for (const x of [...a, ...b]) {
          expect(joined.some((y) => dotKey(y.dot) === dotKey(x.dot) || covers(y, x))).toBe(true)
        }
        for (const x of joined) expect(joined.some((y) => covers(y, x))).toBe(false)
      }),
      RUNS,
    )
  })

  it('[J3] contexts are closed: who covers a write covers all that it had observed', () => {
    fc.assert(
      fc.property(arbitraryWrites, (writes) => {
        for (const y of writes) {
          for (const x of writes) {
            if (!covers(y, x)) continue
            for (const below of writes) if (covers(x, below)) expect(covers(y, below)).toBe(true)
          }
        }
      }),
      RUNS,
    )
  })

  it('equals the maximal elements of all writes, whatever the order', () => {
    fc.assert(
      fc.property(
        arbitraryWrites.chain((writes) =>
          fc.tuple(fc.constant(writes), fc.shuffledSubarray(writes, { minLength: writes.length })),
        ),
        ([writes, shuffled]) => {
          const maximal = writes.filter((x) => !writes.some((y) => covers(y, x)))
          expect(dots(joinOf(shuffled))).toEqual(
            dots([...maximal].sort((x, y) => (dotKey(x.dot) < dotKey(y.dot) ? -1 : 1))),
          )
        },
      ),
      RUNS,
    )
  })

  it('does not depend on the side when a dot was written twice', () => {
    const dot: Dot = { rid: RIDS[0]!, seq: 1 }
    const sibling = fc.record({ ms: fc.nat(2), mtimeMs: fc.nat(2) }).map(
      ({ ms, mtimeMs }): Sibling<Content> => ({
        dot,
        ctx: EMPTY_CONTEXT,
        hlc: { ms, counter: 0 },
        value: voidAt(mtimeMs),
      }),
    )
    fc.assert(
      fc.property(sibling, sibling, sibling, (x, y, z) => {
        expect(joinRegisters([x], [y])).toEqual(joinRegisters([y], [x]))
        expect(joinOf([x, y, z])).toEqual(joinOf([z, y, x]))
      }),
    )
  })

  it('keeps one of two siblings that cover each other', () => {
    const of = (rid: number, other: number): Sibling<Content> => ({
      dot: { rid: RIDS[rid]!, seq: 1 },
      ctx: { vector: new Map([[RIDS[other]!, 1]]), except: [] },
      hlc: { ms: 0, counter: 0 },
      value: voidAt(0),
    })
    const [x, y] = [of(0, 1), of(1, 0)]
    expect(joinRegisters([x], [y])).toEqual([y])
    expect(joinRegisters([y], [x])).toEqual([y])
  })
})

/** Registers of any length whose contexts are whatever somebody says. */
const arbitrarySaid: fc.Arbitrary<Register<Content>> = fc
  .uniqueArray(
    fc.record({
      rid: fc.nat(2),
      seq: fc.integer({ min: 1, max: 15 }),
      seen: fc.tuple(fc.nat(15), fc.nat(15), fc.nat(15)),
      except: fc.array(fc.tuple(fc.nat(2), fc.integer({ min: 1, max: 15 })), { maxLength: 6 }),
      ms: fc.nat(3),
    }),
    { selector: ({ rid, seq }) => `${rid} ${seq}`, maxLength: 30 },
  )
  .map((all) =>
    all.map(({ rid, seq, seen, except, ms }): Sibling<Content> => {
      const dot = { rid: RIDS[rid]!, seq }
      const vector = new Map(RIDS.map((id, i) => [id, seen[i]!] as const).filter(([, last]) => last > 0))
      const left = [...except.map(([at, n]) => ({ rid: RIDS[at]!, seq: n })), dot]
      const named = left.filter((each) => (vector.get(each.rid) ?? 0) >= each.seq)
      return {
        dot,
        ctx: { vector, except: normalizeDots(named) },
        hlc: { ms, counter: 0 },
        value: voidAt(ms),
      }
    }),
  )

it('[J1] long registers are joined as short ones: by looking at each pair', () => {
  const overrules = (y: Sibling<Content>, x: Sibling<Content>) =>
    x !== y && covers(y, x) && !(covers(x, y) && compareSiblings(x, y) > 0)
  fc.assert(
    fc.property(arbitrarySaid, arbitrarySaid, (a, others) => {
      const b = others.filter(({ dot }) => !a.some((x) => sameDot(x.dot, dot)))
      const all = [...a, ...b.filter((y) => !a.some((x) => overrules(x, y)))]
      const expected = all.filter((x) => !all.some((y) => overrules(y, x)))
      const joined = joinRegisters(a, b)
      if (joined === a) expect(all).toHaveLength(a.length)
      else expect(dots(joined)).toEqual(dots(expected.sort((x, y) => compareDots(x.dot, y.dot))))
    }),
    RUNS,
  )
})

it('all members may write to one register at once, and again', () => {
  const rid = (n: number) => n.toString(16).padStart(16, '0') as ReplicaId
  const write = (n: number, seq: number, upTo: number): Sibling<Content> => ({
    dot: { rid: rid(n), seq },
    ctx: { vector: new Map(Array.from({ length: upTo }, (_, i) => [rid(i), seq - 1])), except: [] },
    hlc: { ms: seq, counter: 0 },
    value: voidAt(0),
  })
  const round = (seq: number, seen: number) =>
    Array.from({ length: MEMBERS_MAX }, (_, n) => write(n, seq, seen))
  const id = '1'.repeat(32) as NodeId
  const entry = (content: Register<Content>): NodeEntry => ({ id, kind: 'file', loc: [], content, attr: [] })
  const first = decodeNodeEntry(encodeNodeEntry(entry(round(1, 0))))
  const second = joinEntries(first, entry(round(2, 64)))
  expect(second.content).toHaveLength(2 * MEMBERS_MAX - 64)
  const third = joinEntries(second, entry([write(0, 3, MEMBERS_MAX)]))
  expect(third.content).toHaveLength(1)
})

describe('join of entries', () => {
  const entry: NodeEntry = { id: '1'.repeat(32) as NodeId, kind: 'dir', loc: [], content: [], attr: [] }

  it('is refused for two kinds of one node', () => {
    expect(() => joinEntries(entry, { ...entry, kind: 'file' })).toThrow(ProtocolError)
  })

  it('keeps the fields of a later version of both sides, and says when nothing is new', () => {
    const a = { ...entry, extra: [{ key: 6, value: Uint8Array.of(1) }] }
    const b = {
      ...entry,
      extra: [
        { key: 6, value: Uint8Array.of(2) },
        { key: 7, value: Uint8Array.of(1) },
      ],
    }
    expect(joinEntries(a, b)).toEqual(b)
    expect(joinEntries(b, a)).toBe(b)
    expect(joinEntries(entry, b)).toEqual(b)
  })
})
