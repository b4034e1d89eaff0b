import {
  type DeviceId,
  type NodeEntry,
  type Open,
  type ReplicaId,
  type Sibling,
  type Vector,
  vectorAtMost,
  vectorHas,
} from '@tidemark/protocol'
import { isAlive, visibleContents } from './visibility.js'

/** Who may write, and the hubs: what a member has not acknowledged is collected by nobody. */
export interface MemberList {
  /** Grows with every change of the list. 0: there is none. */
  readonly epoch: number
  readonly devices: readonly DeviceId[]
}

/** What a member says of itself; it counts only under the epoch of the list. */
export interface Acknowledgement {
  readonly device: DeviceId
  readonly epoch: number
  /** All writes that its tree, and its disk where it has one, reflect. */
  readonly applied: Vector
  /** Of what all members have applied: how far it has taken the first step of collection. */
  readonly stable: Vector
}

/** How far collection may go. */
export interface Reach {
  /** Applied by every member. */
  readonly applied: Vector
  /** Past the first step at every member. */
  readonly stable: Vector
}

/** @returns the pointwise minimum. */
export function meetVectors(vectors: readonly Vector[]): Vector {
  const [first = new Map(), ...others] = vectors
  const out = new Map<ReplicaId, number>()
  for (const [rid, seq] of first) {
    const least = others.reduce((min, vector) => Math.min(min, vector.get(rid) ?? 0), seq)
    if (least > 0) out.set(rid, least)
  }
  return out
}

/**
 * How far collection may go here. `undefined` while a member has not acknowledged anything under this
 * list, or has applied what has not come here yet: it may have written, unseen here, to what looks dead.
 *
 * Source: design 5.5; the two steps are semantics-rules 5, "GC in two phases".
 *
 * @param own What this replica's tree and disk reflect.
 */
export function reachOf(
  list: MemberList,
  acks: readonly Acknowledgement[],
  frontier: Vector,
  own: Vector,
): Reach | undefined {
  const counted = acks.filter(({ device, epoch }) => epoch === list.epoch && list.devices.includes(device))
  if (list.epoch === 0 || counted.length < list.devices.length) return undefined
  if (!counted.every(({ applied }) => vectorAtMost(applied, frontier))) return undefined
  return {
    applied: meetVectors([own, ...counted.map(({ applied }) => applied)]),
    stable: meetVectors([own, ...counted.map(({ stable }) => stable)]),
  }
}

const siblingsOf = (entry: NodeEntry): readonly Sibling<unknown>[] => [
  ...entry.loc,
  ...entry.content,
  ...entry.attr,
]

/** Whether every write of the node is at or below `vector`. */
export const isWithin = (entry: NodeEntry, vector: Vector): boolean =>
  siblingsOf(entry).every(({ dot }) => vectorHas(vector, dot))

/** A dead node without a tombstone of its own: voids of several replicas took its last version away. */
export const lacksTombstone = (entry: NodeEntry): boolean =>
  !isAlive(entry) && entry.loc.length > 0 && !entry.loc.some(({ value }) => value.dead)

/** The first step: what the tombstone hides goes, the tombstone stays. @returns `entry` if there is nothing. */
export function withoutHidden(entry: NodeEntry): NodeEntry {
  const content = visibleContents(entry)
  if (content.length === entry.content.length && entry.attr.length === 0) return entry
  return { ...entry, content: [...content], attr: [] }
}

/**
 * What goes with these nodes, as a vector that takes it in: their dots, and what is known here of what they
 * cover, which nothing may show any more.
 */
export function goneWith(entries: readonly NodeEntry[], frontier: Vector): Vector {
  const out = new Map<ReplicaId, number>()
  const raise = (rid: ReplicaId, seq: number): void => {
    if ((out.get(rid) ?? 0) < seq) out.set(rid, seq)
  }
  for (const { dot, ctx } of entries.flatMap(siblingsOf)) {
    raise(dot.rid, dot.seq)
    for (const [rid, seq] of ctx.vector) raise(rid, Math.min(seq, frontier.get(rid) ?? 0))
  }
  return out
}

/** Whether two replicas have any write in common. */
export const knowsSome = (a: Vector, b: Vector): boolean =>
  [...a].some(([rid, seq]) => seq > 0 && (b.get(rid) ?? 0) > 0)

/**
 * Whether the end that said `theirs` must forget what it has and begin anew from the end that said `ours`:
 * something was collected here that it may still hold, or it acknowledged what it no longer has. Both ends
 * ask with the same two statements, so they agree.
 *
 * One that knows nothing of ours holds nothing that can have been collected, unless a round was cut: what it
 * holds of that is as old as its `basis`. For a stranger nobody waited: what it wrote that is not here yet may
 * be to what others have collected; unless we are the one that went back, and knew it once. So may what it writes
 * next, if its tree is older than what it has received.
 */
export function isBehind(theirs: Standing, ours: Collected): boolean {
  const { frontier, applied, basis, remembered } = theirs
  if (!knowsSome(frontier, ours.frontier)) return basis !== undefined && basis !== ours.sweep
  if (ours.stranger && vectorAtMost(remembered, ours.frontier) && !vectorAtMost(frontier, ours.frontier))
    return true
  const past = ours.stranger ? (applied ?? frontier) : frontier
  return !(vectorAtMost(ours.floor, past) && vectorAtMost(ours.acked, frontier))
}

/** What one end said of what it has. */
export type Standing = Pick<Open, 'frontier' | 'applied' | 'remembered' | 'basis'>

/** What the other one said of what it, and everybody before it, has collected. */
export type Collected = Pick<Open, 'frontier' | 'floor' | 'acked' | 'sweep' | 'stranger'>
