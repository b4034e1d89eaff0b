import { compareDots, type Dot, dotKey } from './dot.js'
import type { ReplicaId } from './ids.js'

/**
 * An exact set of dots of one register: everything at or below `vector`, without `except`.
 * Source: Almeida, Shoker & Baquero, Delta State Replicated Data Types, 2018 (dot context), in the
 * complemented form: the exceptions are few because a writer usually observed all that it holds.
 *
 * Invariants: immutable; no zero in `vector`; every exception lies at or below `vector`;
 * `except` is sorted and free of duplicates.
 */
export interface Context {
  readonly vector: ReadonlyMap<ReplicaId, number>
  readonly except: readonly Dot[]
}

/** For each replica the highest sequence number: a plain version vector. Immutable by convention. */
export type Vector = ReadonlyMap<ReplicaId, number>

export const EMPTY_CONTEXT: Context = { vector: new Map(), except: [] }

/** @returns whether `dot` is in the set. */
export function contextHas(ctx: Context, dot: Dot): boolean {
  const seq = ctx.vector.get(dot.rid)
  if (seq === undefined || seq < dot.seq) return false
  for (const e of ctx.except) if (e.seq === dot.seq && e.rid === dot.rid) return false
  return true
}

/**
 * Finds those of many items that a context names, without asking it about each of them: in time that grows with the
 * items found and with what is the shorter, the context or the list of replicas.
 */
export class DotIndex<T extends { readonly dot: Dot }> {
  readonly #byReplica = new Map<ReplicaId, Set<T>>()

  constructor(items: Iterable<T>) {
    for (const item of items) {
      const { rid } = item.dot
      const known = this.#byReplica.get(rid)
      if (known) known.add(item)
      else this.#byReplica.set(rid, new Set([item]))
    }
  }

  /** Also while those that `ctx` names are walked through. */
  delete(item: T): void {
    this.#byReplica.get(item.dot.rid)?.delete(item)
  }

  *namedBy({ vector, except }: Context): Generator<T> {
    const excepted = except.length > 0 ? new Set(except.map(dotKey)) : undefined
    const rids = vector.size < this.#byReplica.size ? vector.keys() : this.#byReplica.keys()
    for (const rid of rids) {
      const seq = vector.get(rid) ?? 0
      for (const item of this.#byReplica.get(rid) ?? []) {
        if (item.dot.seq <= seq && !excepted?.has(dotKey(item.dot))) yield item
      }
    }
  }
}

/** @returns exactly the dots of `a` or `b`. */
export function unionContexts(a: Context, b: Context): Context {
  if (b.vector.size === 0) return a
  if (a.vector.size === 0) return b
  const except: Dot[] = []
  for (const dot of a.except) if (!contextHas(b, dot)) except.push(dot)
  for (const dot of b.except) if (!contextHas(a, dot)) except.push(dot)
  return { vector: joinVectors(a.vector, b.vector), except: normalizeDots(except) }
}

/**
 * @returns `ctx` and `dot`; unnamed dots of the same replica below it count as in the set, so the
 * caller lists in `unobserved` those of this register that it knows and does not mean.
 */
export function makeContext(
  parts: readonly Context[],
  dots: readonly Dot[],
  unobserved: readonly Dot[],
): Context {
  let ctx = EMPTY_CONTEXT
  for (const part of parts) ctx = unionContexts(ctx, part)
  const vector = new Map(ctx.vector)
  for (const dot of dots) if ((vector.get(dot.rid) ?? 0) < dot.seq) vector.set(dot.rid, dot.seq)
  const named = new Set(dots.map(dotKey))
  const except = ctx.except.filter((e) => !named.has(dotKey(e)))
  const explicit = { vector: ctx.vector, except: ctx.except }
  for (const dot of unobserved) {
    if (named.has(dotKey(dot)) || contextHas(explicit, dot)) continue
    if ((vector.get(dot.rid) ?? 0) >= dot.seq) except.push(dot)
  }
  return { vector, except: normalizeDots(except) }
}

/** @returns the pointwise maximum. */
export function joinVectors(a: Vector, b: Vector): Vector {
  const out = new Map(a)
  for (const [rid, seq] of b) if ((out.get(rid) ?? 0) < seq) out.set(rid, seq)
  return out
}

/** @returns whether every entry of `a` is at or below `b`. */
export function vectorAtMost(a: Vector, b: Vector): boolean {
  for (const [rid, seq] of a) if ((b.get(rid) ?? 0) < seq) return false
  return true
}

/** @returns the entries of `vector` that are above `before`. */
export function vectorAbove(vector: Vector, before: Vector): Vector {
  const out = new Map<ReplicaId, number>()
  if (vector === before) return out
  for (const [rid, seq] of vector) if ((before.get(rid) ?? 0) < seq) out.set(rid, seq)
  return out
}

export const vectorHas = (vector: Vector, dot: Dot): boolean => (vector.get(dot.rid) ?? 0) >= dot.seq

/** Sorted, without duplicates. */
export function normalizeDots(dots: readonly Dot[]): readonly Dot[] {
  if (dots.length < 2) return dots
  const sorted = [...dots].sort(compareDots)
  return sorted.filter((dot, i) => i === 0 || compareDots(sorted[i - 1]!, dot) !== 0)
}
