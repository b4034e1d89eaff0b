import {
  type Dot,
  LimitError,
  type NodeEntry,
  parseReplicaId,
  REPLICA_IDS_MAX,
  type Register,
  type ReplicaId,
  type Vector,
  vectorAtMost,
} from '@tidemark/protocol'
import type { KeyValueReader } from '../ports/key-value-store.js'
import { decodeJson, encodeJson } from './json-row.js'
import type { Transaction } from './transaction.js'

/** [frontier, met, held] of one replica id. */
type Row = readonly [number, number, number]

/**
 * The three vectors of a space, one row a replica id, so that a write touches one row however many
 * incarnations there were.
 *
 * - `frontier`: what this replica truly has (invariant T).
 * - `met`: the highest sequence number ever met in any dot or context; a peer's frontier above it is unfounded.
 * - `held`: the highest dot ever joined into the state; above the frontier inside a round.
 */
export class VectorTable {
  readonly #prefix: string
  #frontier = new Map<ReplicaId, number>()
  #met = new Map<ReplicaId, number>()
  #held = new Map<ReplicaId, number>()

  constructor(prefix: string) {
    this.#prefix = prefix
  }

  get frontier(): Vector {
    return this.#frontier
  }
  get met(): Vector {
    return this.#met
  }
  get held(): Vector {
    return this.#held
  }

  /** Something was joined that is above the frontier: a round is under way, or was cut. */
  get isPartial(): boolean {
    return !vectorAtMost(this.#held, this.#frontier)
  }

  /** @param lost Their dots may be above the frontier for ever. */
  isWhole(lost: Vector): boolean {
    for (const [rid, seq] of this.#held) {
      if ((this.#frontier.get(rid) ?? 0) < seq && !lost.has(rid)) return false
    }
    return true
  }

  async load(kv: KeyValueReader): Promise<void> {
    for await (const page of kv.range({ gte: this.#prefix, lt: `${this.#prefix}~` })) {
      for (const [key, value] of page) {
        const rid = parseReplicaId(key.slice(this.#prefix.length))
        const [frontier, met, held] = decodeJson<Row>(value)!
        if (frontier > 0) this.#frontier.set(rid, frontier)
        if (met > 0) this.#met.set(rid, met)
        if (held > 0) this.#held.set(rid, held)
      }
    }
  }

  /** Collects raises; nothing is seen before `publish`. */
  change(): VectorChange {
    return new VectorChange(this)
  }

  /**
   * Writes the raised rows into the transaction.
   *
   * @returns makes them visible, once the batch is in.
   * @throws {LimitError} peers named more replica ids than an OPEN of this side has room for.
   */
  stage(txn: Transaction, change: VectorChange): () => void {
    const rids = new Set([...change.frontier.keys(), ...change.met.keys(), ...change.held.keys()])
    const { resets } = change
    if (resets) for (const rid of [...this.#frontier.keys(), ...this.#held.keys()]) rids.add(rid)
    const next = {
      frontier: raised(resets ? new Map() : this.#frontier, change.frontier),
      met: raised(this.#met, change.met),
      held: raised(resets ? new Map() : this.#held, change.held),
    }
    if (change.meetsNew && next.met.size > REPLICA_IDS_MAX) {
      throw new LimitError('too many replica ids in this space', 'REPLICA_IDS_MAX', next.met.size)
    }
    for (const rid of rids) {
      const row: Row = [next.frontier.get(rid) ?? 0, next.met.get(rid) ?? 0, next.held.get(rid) ?? 0]
      txn.put(this.#prefix + rid, encodeJson(row))
    }
    return () => {
      this.#frontier = next.frontier
      this.#met = next.met
      this.#held = next.held
    }
  }
}

/** The same map when nothing is raised: callers compare by identity. */
function raised(base: Map<ReplicaId, number>, by: Vector): Map<ReplicaId, number> {
  if (vectorAtMost(by, base)) return base
  const out = new Map(base)
  for (const [rid, seq] of by) if ((out.get(rid) ?? 0) < seq) out.set(rid, seq)
  return out
}

export class VectorChange {
  readonly frontier = new Map<ReplicaId, number>()
  readonly met = new Map<ReplicaId, number>()
  readonly held = new Map<ReplicaId, number>()
  resets = false
  /** A peer named an id that was not known. Own ones are never refused. */
  meetsNew = false
  readonly #base: VectorTable

  constructor(base: VectorTable) {
    this.#base = base
  }

  raiseFrontier(vector: Vector): void {
    for (const [rid, seq] of vector) raise(this.frontier, this.#base.frontier, rid, seq)
  }

  /** Frontier and held begin anew, the latter at what is left. */
  reset(held: Vector): void {
    this.resets = true
    for (const [rid, seq] of held) this.held.set(rid, seq)
  }

  raiseMet(vector: Vector): void {
    for (const [rid, seq] of vector) this.#meet(rid, seq)
  }

  #meet(rid: ReplicaId, seq: number): void {
    raise(this.met, this.#base.met, rid, seq)
    this.meetsNew ||= seq > 0 && !this.#base.met.has(rid)
  }

  /** An own write: truth at once. */
  wrote(dot: Dot): void {
    raise(this.frontier, this.#base.frontier, dot.rid, dot.seq)
    raise(this.met, this.#base.met, dot.rid, dot.seq)
    raise(this.held, this.#base.held, dot.rid, dot.seq)
  }

  /** Siblings that came from a peer: their dots are held, what their contexts name was met. */
  received(entry: NodeEntry): void {
    const registers: readonly Register<unknown>[] = [entry.loc, entry.content, entry.attr]
    for (const register of registers) {
      for (const { dot, ctx } of register) {
        this.#meet(dot.rid, dot.seq)
        raise(this.held, this.#base.held, dot.rid, dot.seq)
        this.raiseMet(ctx.vector)
      }
    }
  }
}

function raise(changed: Map<ReplicaId, number>, base: Vector, rid: ReplicaId, seq: number): void {
  if (seq > Math.max(base.get(rid) ?? 0, changed.get(rid) ?? 0)) changed.set(rid, seq)
}
