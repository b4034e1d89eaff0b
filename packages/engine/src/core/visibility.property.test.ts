import {
  type Content,
  type Context,
  contextHas,
  type Dot,
  type Loc,
  type NodeEntry,
  type NodeId,
  normalizeDots,
  type ReplicaId,
  ROOT,
  sameDot,
} from '@tidemark/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { liveLocs, visibleContents } from './visibility.js'

const RIDS = ['a', 'b', 'c'].map((digit) => digit.repeat(16) as ReplicaId)
const LAST = 12

const arbitraryDot: fc.Arbitrary<Dot> = fc
  .record({ at: fc.nat(RIDS.length - 1), seq: fc.integer({ min: 1, max: LAST }) })
  .map(({ at, seq }) => ({ rid: RIDS[at]!, seq }))
const arbitraryDots = fc.array(arbitraryDot, { maxLength: 4 })
const arbitraryContext: fc.Arbitrary<Context> = fc
  .record({ seen: fc.array(fc.nat(LAST), { minLength: 3, maxLength: 3 }), left: arbitraryDots })
  .map(({ seen, left }) => {
    const vector = new Map(RIDS.map((rid, i) => [rid, seen[i]!] as const).filter(([, seq]) => seq > 0))
    return { vector, except: normalizeDots(left.filter(({ rid, seq }) => (vector.get(rid) ?? 0) >= seq)) }
  })
const register = <V>(value: fc.Arbitrary<V>) =>
  fc.uniqueArray(
    fc.record({ dot: arbitraryDot, ctx: arbitraryContext, hlc: fc.constant({ ms: 1, counter: 0 }), value }),
    { selector: ({ dot }) => `${dot.rid}${dot.seq}`, maxLength: 25 },
  )
const optionally = { requiredKeys: [] as [] }

const arbitraryEntry: fc.Arbitrary<NodeEntry> = fc.record({
  id: fc.constant('1'.repeat(32) as NodeId),
  kind: fc.constant('file' as const),
  loc: register<Loc>(
    fc
      .tuple(
        fc.boolean(),
        fc.record({ seen: arbitraryContext, held: arbitraryDots, pin: arbitraryDots }, optionally),
      )
      .map(([dead, more]) => ({ parent: ROOT, name: 'f', dead, ...more })),
  ),
  content: register<Content>(
    fc
      .tuple(
        fc.boolean(),
        fc.record({ restores: fc.array(arbitraryDot, { minLength: 1, maxLength: 4 }) }, optionally),
      )
      .map(([isVoid, more]) => {
        const value = { height: 0, size: 0, mtimeMs: 0 }
        return isVoid ? value : { ...value, root: 'c'.repeat(64) as NonNullable<Content['root']>, ...more }
      }),
  ),
  attr: fc.constant([]),
})

/** As docs/view.md says it, by looking at each pair. */
function reference(entry: NodeEntry) {
  const { loc, content } = entry
  const isSeen = (dot: Dot) => loc.some(({ value: { seen } }) => seen !== undefined && contextHas(seen, dot))
  const held = liveLocs(entry).flatMap(({ value }) => value.held ?? [])
  return content.filter(({ dot, value: { root, restores } }) => {
    if (root === undefined) return false
    const isReplaced = content.some(
      (other) =>
        restores !== undefined &&
        other.value.restores === undefined &&
        restores.every((each) => contextHas(other.ctx, each)),
    )
    if (isReplaced) return false
    const stands = restores ?? [dot]
    if (!isSeen(dot) && !stands.every(isSeen)) return true
    return held.some((each) => sameDot(each, dot) || stands.some((other) => sameDot(each, other)))
  })
}

test('what is visible of long registers is what looking at each pair finds', () => {
  fc.assert(
    fc.property(arbitraryEntry, (entry) => {
      expect(visibleContents(entry)).toEqual(reference(entry))
    }),
    { numRuns: 3_000 },
  )
})
