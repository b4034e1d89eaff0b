import {
  type Attr,
  type Content,
  type Context,
  compareBytes,
  compareDots,
  compareHlc,
  contextHas,
  type Dot,
  DotIndex,
  dotKey,
  type ExtraField,
  encodeAttrSibling,
  encodeContentSibling,
  encodeLocSibling,
  equalBytes,
  type Hlc,
  joinExtra,
  type Loc,
  makeContext,
  type NodeEntry,
  ProtocolError,
  type Register,
  type Sibling,
  sameDot,
} from '@tidemark/protocol'

/** Whether `y` was written by somebody who had observed `x`. A strict partial order. */
export const covers = (y: Sibling<unknown>, x: Sibling<unknown>): boolean => contextHas(y.ctx, x.dot)

/**
 * The maximal elements of both registers under `covers`: a join-semilattice (Shapiro et al., SSS 2011),
 * as long as contexts are closed and dots are written once; then neither rule below ever decides.
 *
 * - One dot with two values (a database that was rolled back and written again): the greater key stays.
 * - Two siblings that cover each other (the same cause): the greater key stays, so that neither is lost.
 *
 * @returns `a` itself when `b` adds nothing.
 */
export function joinRegisters<V extends RegisterValue>(a: Register<V>, b: Register<V>): Register<V> {
  if (b.length === 0) return a
  const all: Sibling<V>[] = [...a]
  const isLong = a.length + b.length > SHORT_MAX
  const places = isLong ? new Map(a.map(({ dot }, i) => [dotKey(dot), i])) : undefined
  const placeOf = (dot: Dot): number =>
    places ? (places.get(dotKey(dot)) ?? -1) : all.findIndex((x) => sameDot(x.dot, dot))
  const isOverruled = overruledBy(a, b)
  let changed = false
  for (const y of b) {
    const at = placeOf(y.dot)
    const x = all[at]
    if (x ? compareTwins(x, y) >= 0 : isOverruled(y)) continue
    if (x) all[at] = y
    else {
      places?.set(dotKey(y.dot), all.length)
      all.push(y)
    }
    changed = true
  }
  if (!changed) return a
  if (all.length === 1) return all
  const isSuperseded = overruledBy(all, all)
  const maximal = all.filter((x) => !isSuperseded(x))
  return maximal.sort((x, y) => compareDots(x.dot, y.dot))
}

/** Looking through registers that are short, as nearly all are, is faster than a table of them. */
const SHORT_MAX = 16

/** @returns whether one of `xs` is overruled by one of `ys`. */
function overruledBy<V>(ys: Register<V>, xs: Register<V>): (x: Sibling<V>) => boolean {
  if (ys.length + xs.length <= SHORT_MAX) return (x) => ys.some((y) => y !== x && overrules(y, x))
  const left = new DotIndex(xs)
  const found = new Set<Sibling<V>>()
  for (const y of ys) {
    for (const x of left.namedBy(y.ctx)) {
      if (x === y || !overrules(y, x)) continue
      found.add(x)
      left.delete(x)
    }
  }
  return (x) => found.has(x)
}

type RegisterValue = Loc | Content | Attr

const overrules = (y: Sibling<unknown>, x: Sibling<unknown>): boolean =>
  covers(y, x) && !(covers(x, y) && compareSiblings(x, y) > 0)

/** Order of siblings with one dot. */
function compareTwins<V extends RegisterValue>(x: Sibling<V>, y: Sibling<V>): number {
  if (x === y) return 0
  return compareHlc(x.hlc, y.hlc) || compareBytes(canonicalBytes(x), canonicalBytes(y))
}

/** Takes siblings as they are: their encodings are remembered by object. */
function canonicalBytes(sibling: Sibling<RegisterValue>): Uint8Array {
  const { value } = sibling
  if ('executable' in value) return encodeAttrSibling(sibling as Sibling<Attr>)
  return 'parent' in value
    ? encodeLocSibling(sibling as Sibling<Loc>)
    : encodeContentSibling(sibling as Sibling<Content>)
}

/**
 * Joins all registers of one node, and what a later version added to it.
 *
 * @returns `a` itself when `b` adds nothing.
 * @throws {ProtocolError} KIND_CHANGED: a second kind for one id.
 */
export function joinEntries(a: NodeEntry, b: NodeEntry): NodeEntry {
  if (a.kind !== b.kind) {
    throw new ProtocolError('KIND_CHANGED', `node ${a.id} is a ${a.kind}; a peer says ${b.kind}`)
  }
  const loc = joinRegisters(a.loc, b.loc)
  const content = joinRegisters(a.content, b.content)
  const attr = joinRegisters(a.attr, b.attr)
  const extra = b.extra === undefined ? a.extra : joinExtra(a.extra, b.extra)
  const addsExtra = !sameExtra(a.extra, extra)
  if (loc === a.loc && content === a.content && attr === a.attr && !addsExtra) return a
  return { ...a, loc, content, attr, ...(addsExtra && extra ? { extra } : {}) }
}

function sameExtra(a: readonly ExtraField[] | undefined, b: readonly ExtraField[] | undefined): boolean {
  if (a === b) return true
  if (a?.length !== b?.length) return false
  return a!.every((field, i) => field.key === b![i]!.key && equalBytes(field.value, b![i]!.value))
}

/**
 * The total order that picks one of concurrent siblings: an import's adopted value below any other, then
 * the stamp, then the dot. Causality never asks it. Siblings of two nodes are equal only when a dot was
 * written twice: the callers then compare the nodes' ids.
 */
export function compareSiblings<V>(a: Sibling<V>, b: Sibling<V>): number {
  const adopted = adoptedRank(a) - adoptedRank(b)
  if (adopted !== 0) return adopted
  return compareHlc(a.hlc, b.hlc) || compareDots(a.dot, b.dot)
}

const adoptedRank = (sibling: Sibling<unknown>): number =>
  (sibling.value as Partial<Content>).adopted === true ? 0 : 1

export function maxSibling<V>(siblings: readonly Sibling<V>[]): Sibling<V> | undefined {
  let max: Sibling<V> | undefined
  for (const sibling of siblings) if (!max || compareSiblings(sibling, max) > 0) max = sibling
  return max
}

/**
 * The one constructor of siblings. The context is exactly what the writer observed: the observed
 * siblings and what they had observed, without the siblings that the writer holds but did not see.
 *
 * @param register All siblings that this replica knows of the register, observed or not.
 * @param observed Those whose value the user had before their eyes; a subset or an older state.
 */
export function makeSibling<V>(options: {
  readonly register: Register<V>
  readonly observed: Register<V>
  readonly dot: Dot
  readonly hlc: Hlc
  readonly value: V
}): Sibling<V> {
  const { register, observed, dot, hlc, value } = options
  const unobserved = register
    .filter((x) => !observed.some((y) => sameDot(y.dot, x.dot) || covers(y, x)))
    .map((x) => x.dot)
  const inherited = observed.flatMap((y) => y.ctx.except)
  const ctx = makeContext(
    observed.map((y) => y.ctx),
    observed.map((y) => y.dot),
    [...unobserved, ...inherited],
  )
  return { dot, ctx, hlc, value }
}

/** The dots of a register. */
export const dotsOf = (register: Register<unknown>): Dot[] => register.map((sibling) => sibling.dot)

/** What a `seen` names when its writer knew all of `contents`. */
export function seenOf(contents: Register<Content>, known: Register<Content>): Context {
  const unobserved = known
    .filter((x) => !contents.some((y) => sameDot(y.dot, x.dot) || covers(y, x)))
    .map((x) => x.dot)
  return makeContext(
    contents.map((y) => y.ctx),
    contents.map((y) => y.dot),
    [...unobserved, ...contents.flatMap((y) => y.ctx.except)],
  )
}
