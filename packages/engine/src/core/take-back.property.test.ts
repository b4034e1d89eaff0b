import {
  type ChunkId,
  type Content,
  type Dot,
  type Hlc,
  type Loc,
  type NodeEntry,
  type NodeId,
  type Register,
  type ReplicaId,
  ROOT,
  type Sibling,
  sameDot,
} from '@tidemark/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { dropIgnored } from './incoming.js'
import { newWrites } from './new-writes.js'
import { joinEntries, joinRegisters, makeSibling } from './register.js'
import { takeBack } from './take-back.js'
import { isAlive, versions } from './visibility.js'

const RIDS = ['a', 'b', 'c'].map((digit) => digit.repeat(16) as ReplicaId)
const OWN = 'd'.repeat(16) as ReplicaId
const NODE = '1'.repeat(32) as NodeId
const DIRS = [ROOT, '2'.repeat(32) as NodeId] as const

/** Writers who each observed any part of all earlier writes of a register. */
function register<V>(
  writes: readonly { rid: number; observed: number; ms: number; value: V }[],
  from: number,
) {
  const made: Sibling<V>[] = []
  for (const [i, { rid, observed, ms, value }] of writes.entries()) {
    const dot: Dot = { rid: RIDS[rid]!, seq: from + i + 1 }
    const seen = made.filter((_, at) => (observed >> at) & 1)
    made.push(makeSibling({ register: made, observed: seen, dot, hlc: { ms, counter: i }, value }))
  }
  return made
}

const write = { rid: fc.nat(2), observed: fc.nat(63), ms: fc.nat(3) }
const contents = fc.array(fc.record({ ...write, isVoid: fc.boolean() }), { maxLength: 5 }).map((list) =>
  register<Content>(
    list.map((each, i) => ({ ...each, value: each.isVoid && i % 3 === 2 ? VOID : versionOf(i) })),
    10,
  ),
)
const places = fc
  .array(fc.record({ ...write, at: fc.nat(3), dead: fc.boolean() }), { minLength: 1, maxLength: 4 })
  .map((list) =>
    register<Loc>(
      list.map(({ at, dead, ...each }, i) => ({
        ...each,
        value: { parent: DIRS[at % 2]!, name: `n${at}`, dead: dead && i > 0 },
      })),
      50,
    ),
  )
const VOID: Content = { height: 0, size: 0, mtimeMs: 0 }
const versionOf = (i: number): Content => ({
  root: `${i}`.repeat(64) as ChunkId,
  height: 0,
  size: 1,
  mtimeMs: 0,
})

/** What a hub took of the writes of one node, what a replica holds, and what the hub refused. */
const refusal = fc
  .tuple(places, contents)
  .chain(([loc, content]) =>
    fc.tuple(fc.constant({ loc, content }), fc.subarray(loc), fc.subarray(content), fc.nat(255)),
  )
  .map(([all, loc, content, others]) => {
    const hub = entry(loc, content)
    const held = entry(all.loc, all.content)
    const fresh = newWrites(dropIgnored(held, hub, new Map()), hub)
    // All that is new, or some of it.
    const dots = [...(fresh?.loc ?? []), ...(fresh?.content ?? [])]
      .map(({ dot }) => dot)
      .filter((_, i) => others === 0 || (others >> i) & 1)
    return { hub: isEmpty(hub) ? undefined : hub, held, dots }
  })

const entry = (loc: Register<Loc>, content: Register<Content>): NodeEntry => ({
  id: NODE,
  kind: 'file',
  loc: loc.reduce<Register<Loc>>((all, sibling) => joinRegisters(all, [sibling]), []),
  content: content.reduce<Register<Content>>((all, sibling) => joinRegisters(all, [sibling]), []),
  attr: [],
})
const isEmpty = ({ loc, content }: NodeEntry): boolean => loc.length + content.length === 0

const isRefused = (dots: readonly Dot[]) => (sibling: Sibling<unknown>) =>
  dots.some((dot) => sameDot(dot, sibling.dot))

/** Whether there is something that the hub has neither taken nor refused. */
const isOfMore = (held: NodeEntry, hub: NodeEntry | undefined, dots: readonly Dot[]): boolean =>
  [...held.loc, ...held.content].some(
    (sibling) =>
      !isRefused(dots)(sibling) &&
      ![...(hub?.loc ?? []), ...(hub?.content ?? [])].some(({ dot }) => sameDot(dot, sibling.dot)),
  )

function clock() {
  let seq = 0
  const hlc: Hlc = { ms: 1_000, counter: 0 }
  return { nextDot: (): Dot => ({ rid: OWN, seq: ++seq }), nextHlc: (): Hlc => ({ ...hlc, counter: ++seq }) }
}

const shownOf = ({ content }: NodeEntry): string[] =>
  [...new Set(content.flatMap(({ value }) => value.root?.slice(0, 1) ?? []))].sort()
const placesOf = ({ loc }: NodeEntry): string[] =>
  [
    ...new Set(
      loc.map(({ value }) => `${value.parent.slice(0, 1)}/${value.name}${value.dead ? ' dead' : ''}`),
    ),
  ].sort()

test('[HB20] what takes writes back leaves what the hub has, and what it did not refuse', () => {
  fc.assert(
    fc.property(refusal, ({ hub, held, dots }) => {
      const written = takeBack(held, dots, hub, clock())
      if (!written) {
        expect([...held.loc, ...held.content].some(isRefused(dots))).toBe(false)
        return
      }
      const after = joinEntries(held, written)
      expect([...after.loc, ...after.content].some(isRefused(dots))).toBe(false)
      const rest = entry(
        held.loc.filter((sibling) => !isRefused(dots)(sibling)),
        held.content.filter((sibling) => !isRefused(dots)(sibling)),
      )
      const expected = hub ? joinEntries(hub, rest) : rest
      const result = hub ? joinEntries(hub, after) : after
      expect(shownOf(result)).toEqual(shownOf(expected))
      // Of a node that the hub has no place of there is a tombstone.
      const isGone = expected.loc.length === 0 && held.loc.some(isRefused(dots))
      if (isGone) expect(result.loc.some(({ value }) => value.dead)).toBe(true)
      else expect(placesOf(result)).toEqual(placesOf(expected))
      // Names of versions stay.
      const [now, before] = [versions(result).winner?.root, versions(expected).winner?.root]
      if (!isGone) expect(now).toBe(before)
    }),
    { numRuns: 5_000 },
  )
})

test('[HB20] what takes writes back is never refused, and leaves nothing of what the hub never had', () => {
  fc.assert(
    fc.property(refusal, ({ hub, held, dots }) => {
      const written = takeBack(held, dots, hub, clock())
      // What came here meanwhile may be refused too.
      if (!written || isOfMore(held, hub, dots)) return
      expect(newWrites(written, hub)).toBeUndefined()
      const isAllRefused = [...held.loc, ...held.content].every(isRefused(dots))
      if (!hub && isAllRefused) expect(isAlive(joinEntries(held, written))).toBe(false)
    }),
    { numRuns: 5_000 },
  )
})

test('[NR12] whoever replaced or deleted what is written again has replaced or deleted that too', () => {
  const write = <V>(register: Register<V>, observed: Register<V>, rid: number, seq: number, value: V) =>
    makeSibling({ register, observed, dot: { rid: RIDS[rid]!, seq }, hlc: { ms: seq, counter: 0 }, value })
  const place = { parent: ROOT, name: 'f', dead: false }
  const [loc, first] = [write([], [], 0, 1, place), write([], [], 0, 2, versionOf(1))]
  const hub = entry([loc], [first])
  const held = entry([loc], [first, write([first], [first], 1, 3, versionOf(2))])
  const written = takeBack(held, [{ rid: RIDS[1]!, seq: 3 }], hub, clock())!
  const after = joinEntries(held, written)
  expect(versions(after).winner?.root).toBe(versionOf(1).root)
  // Somebody else edited the first version, and did not know of anything else.
  const edited = joinEntries(after, entry([], [write([first], [first], 2, 4, versionOf(3))]))
  expect([versions(edited).winner?.root, versions(edited).copies]).toEqual([versionOf(3).root, []])
  // Or deleted the file; a place that was taken back is no sign of life either.
  const seen = { vector: new Map([[RIDS[0]!, 2]]), except: [] }
  const tombstone = write<Loc>([loc], [loc], 2, 5, { ...place, dead: true, seen })
  expect(isAlive(joinEntries(after, entry([tombstone], [])))).toBe(false)
  const moved = entry([loc, write([loc], [loc], 1, 6, { ...place, name: 'g' })], [first])
  const back = joinEntries(moved, takeBack(moved, [{ rid: RIDS[1]!, seq: 6 }], hub, clock())!)
  expect(isAlive(back)).toBe(true)
  expect(isAlive(joinEntries(back, entry([tombstone], [])))).toBe(false)
})

test('[VW14] what a deletion had hidden that the hub has collected stays hidden where it has not', () => {
  const write = <V>(register: Register<V>, observed: Register<V>, rid: number, seq: number, value: V) =>
    makeSibling({ register, observed, dot: { rid: RIDS[rid]!, seq }, hlc: { ms: seq, counter: 0 }, value })
  const place = { parent: ROOT, name: 'f', dead: false }
  const [loc, first] = [write([], [], 0, 1, place), write([], [], 0, 2, versionOf(1))]
  const seen = { vector: new Map([[RIDS[0]!, 2]]), except: [] }
  const tombstone = write<Loc>([loc], [loc], 1, 3, { ...place, dead: true, seen })
  const elsewhere = entry([tombstone], [first])
  // Here the first step of collection is done, and the file is made again, which the hub refuses.
  const again = write<Loc>([tombstone], [tombstone], 2, 4, { ...place, seen })
  const version = write([], [], 2, 5, versionOf(2))
  const refused = [again.dot, version.dot]
  const shows = (held: NodeEntry, hub: NodeEntry | undefined) => {
    const written = takeBack(held, refused, hub, clock())!
    return versions(joinEntries(joinEntries(elsewhere, held), written))
  }
  const nothing = shows(entry([again], [version]), undefined)
  expect([nothing.winner, nothing.copies]).toEqual([undefined, []])
  // Somebody else has made it again too, who had never heard of the first one.
  const [other, theirs] = [write<Loc>([], [], 0, 6, place), write([], [], 0, 7, versionOf(3))]
  const moved = write<Loc>([again, other], [again, other], 2, 4, { ...place, name: 'g', from: ROOT, seen })
  const one = shows(entry([moved], [theirs, version]), entry([other], [theirs]))
  expect([one.winner?.root, one.copies]).toEqual([versionOf(3).root, []])
  // A refused deletion takes away nothing that the hub has, or will have.
  const known = { vector: new Map([[RIDS[0]!, 7]]), except: [] }
  const deletion = write<Loc>([other], [other], 2, 4, { ...place, dead: true, seen: known })
  const hidden = entry([deletion], [theirs])
  for (const hub of [entry([other], [theirs]), undefined]) {
    const back = joinEntries(hidden, takeBack(hidden, [deletion.dot], hub, clock())!)
    expect(versions(back).winner?.root).toBe(versionOf(3).root)
  }
})
