import {
  bytesToHex,
  type Cursor,
  type DeviceId,
  DOTS_MAX,
  REPLICA_ID_BYTES,
  type ReplicaId,
  type RunId,
  type Vector,
} from '@tidemark/protocol'
import type { KeyValueReader } from '../ports/key-value-store.js'
import type { Random } from '../ports/random.js'
import { decodeJson, encodeJson } from './json-row.js'
import type { Transaction } from './transaction.js'

/** [run, log position at which it began] */
type Run = readonly [RunId, number]

/** A cursor of an older run is void: its owner gets the log from the start, filtered by its frontier. */
const RUNS_KEPT_MAX = 1_024

/**
 * Who this database has been: every open for writing is a run with a replica id of its own, kept from its
 * first write on, so that a restored backup or a clone can never name a second event with a dot
 * that is in use (semantics-rules, 5.4).
 */
export class Incarnations {
  readonly #prefix: string
  readonly #random: Random
  readonly #own: ReplicaId[] = []
  readonly #lost = new Map<ReplicaId, number>()
  #runs: readonly Run[] = []
  #current: ReplicaId
  readonly #partialRun: RunId

  constructor(prefix: string, random: Random) {
    this.#prefix = prefix
    this.#random = random
    this.#current = this.#newId<ReplicaId>()
    this.#partialRun = this.#newId<RunId>()
  }

  /** Reads what there is and begins a run; the caller commits `txn` durably before anything is written. */
  async begin(kv: KeyValueReader, txn: Transaction, lseq: number, device: DeviceId): Promise<void> {
    const isSameDevice = decodeJson<DeviceId>(await kv.get(`${this.#prefix}device`)) === device
    txn.put(`${this.#prefix}device`, encodeJson(device))
    const before = decodeJson<readonly Run[]>(await kv.get(`${this.#prefix}runs`)) ?? []
    for await (const page of kv.range({ gte: `${this.#prefix}own/`, lt: `${this.#prefix}own0` })) {
      for (const [key] of page) {
        // A clone: the ids stay with the device that took them.
        if (isSameDevice) this.#own.push(key.slice(`${this.#prefix}own/`.length) as ReplicaId)
        else txn.del(key)
      }
    }
    for await (const page of kv.range({ gte: `${this.#prefix}lost/`, lt: `${this.#prefix}lost0` })) {
      for (const [key, value] of page) {
        this.#lost.set(key.slice(`${this.#prefix}lost/`.length) as ReplicaId, decodeJson<number>(value)!)
      }
    }
    this.#own.push(this.#current)
    this.#runs = [...before.slice(1 - RUNS_KEPT_MAX), [this.#newId<RunId>(), lseq]]
    txn.put(`${this.#prefix}runs`, encodeJson(this.#runs))
  }

  /** The run of this open. */
  get run(): RunId {
    return this.#runs.at(-1)![0]
  }

  /**
   * Names positions inside a round, for as long as this open lasts. Such a position means "all below it,
   * in the log as it was at the head of that round": a node that stood below it may since have moved up, so
   * a database that went back must not take it for one of its own past.
   */
  get partialRun(): RunId {
    return this.#partialRun
  }

  /** Whether `cursor` names a place in this database's own past. */
  isGood(cursor: Cursor, lseq: number): boolean {
    if (cursor.run === this.#partialRun) return cursor.lseq <= lseq
    const at = this.#runs.findIndex(([run]) => run === cursor.run)
    if (at === -1) return false
    const end = this.#runs[at + 1]?.[1] ?? lseq
    return cursor.lseq <= end
  }

  /**
   * The replica id of this open. Peers hear it before its first write: only so can they tell, when this
   * database comes back without it, whose writes are lost.
   */
  get current(): ReplicaId {
    return this.#current
  }

  /** From now on another id, for a database that begins anew. */
  renew(): void {
    this.#current = this.#newId<ReplicaId>()
    this.#own.push(this.#current)
  }

  /** For a write: `txn` holds that the id is ours. */
  takeCurrent(txn: Transaction): ReplicaId {
    txn.put(`${this.#prefix}own/${this.#current}`, encodeJson(1))
    return this.#current
  }

  /** All replica ids of this database, with the last dot that it knows of each. */
  own(frontier: Vector): Vector {
    return new Map(this.#own.map((rid) => [rid, frontier.get(rid) ?? 0]))
  }

  /** Whether this database wrote under this id, in this run or an earlier one. */
  isOwn(rid: ReplicaId): boolean {
    return this.#own.includes(rid)
  }

  /** Replica ids whose database was rolled back: some of their dots may be in nobody's frontier. */
  get lost(): Vector {
    return this.#lost
  }

  /** Ids of earlier opens of which somebody knows more than `frontier`: this database went back. */
  behind(met: Vector, frontier: Vector): Map<ReplicaId, number> {
    const lost = new Map<ReplicaId, number>()
    for (const [rid, seq] of this.own(frontier)) {
      if (rid !== this.#current && (met.get(rid) ?? 0) > seq) lost.set(rid, seq)
    }
    return lost
  }

  /**
   * What counts of ids that a peer calls lost: those of which something was met, others while they fit into a
   * message. Nobody can make the list grow without end.
   */
  believed(lost: Vector, met: Vector): Vector {
    const isFull = this.#lost.size >= DOTS_MAX
    return isFull ? new Map([...lost].filter(([rid]) => met.has(rid))) : lost
  }

  /** @returns those that were not known to be lost; they are once `publish` is called, after the batch. */
  declareLost(txn: Transaction, lost: Vector): { readonly fresh: Vector; publish(): void } {
    const fresh = new Map([...lost].filter(([rid]) => !this.#lost.has(rid) && rid !== this.#current))
    for (const [rid, seq] of fresh) txn.put(`${this.#prefix}lost/${rid}`, encodeJson(seq))
    return {
      fresh,
      publish: () => {
        for (const [rid, seq] of fresh) this.#lost.set(rid, seq)
      },
    }
  }

  #newId<T extends string>(): T {
    return bytesToHex(this.#random.bytes(REPLICA_ID_BYTES)) as T
  }
}
