import type { Cursor, DeviceId, ReplicaId, RunId, Vector } from '@tidemark/protocol'
import type { KeyValueReader } from '../ports/key-value-store.js'
import { decodeJson, encodeJson } from './json-row.js'
import type { Transaction } from './transaction.js'

/** What this replica remembers of one peer between sessions. */
export interface PeerMemory {
  /** How far we got in its log; absent: from the start. */
  readonly cursor?: Cursor
  /** Its frontier at the last sync point. */
  readonly frontier: Vector
  /** Replica ids that its device named as its own when it said OPEN last. */
  readonly own: readonly ReplicaId[]
  /** Those that it named before and not any more: its database went back, or they were never used. */
  readonly disowned: readonly ReplicaId[]
  /** A sync point of it was reached. */
  readonly synced: boolean
  /** Its `sweep` when nothing was above our frontier last; absent: the next one is. */
  readonly basis?: RunId
}

interface Row {
  readonly synced: boolean
  readonly frontier: readonly (readonly [ReplicaId, number])[]
  readonly own: readonly ReplicaId[]
  readonly disowned: readonly ReplicaId[]
  readonly basis?: RunId
}

/** Ids of opens without a write are disowned too: these must not pile up. */
const DISOWNED_MAX = 256

const NOTHING: PeerMemory = { frontier: new Map(), own: [], disowned: [], synced: false }

/** @returns `memory` after the peer's device named these ids as its own. */
export function withOwn(memory: PeerMemory, own: readonly ReplicaId[]): PeerMemory {
  const named = new Set(own)
  const before = new Set([...memory.disowned, ...memory.own])
  const disowned = [...before].filter((rid) => !named.has(rid)).slice(-DISOWNED_MAX)
  return { ...memory, own, disowned }
}

/** Two rows a peer device: the cursor moves with every frame, the rest, which is longer, does not. */
export class PeerMemories {
  readonly #cursors: string
  readonly #memories: string

  constructor(prefix: string) {
    this.#cursors = `${prefix}c/`
    this.#memories = `${prefix}m/`
  }

  async read(kv: KeyValueReader, peer: DeviceId): Promise<PeerMemory> {
    const [memoryRow, cursorRow] = await kv.getMany([this.#memories + peer, this.#cursors + peer])
    const row = decodeJson<Row>(memoryRow)
    const cursor = decodeJson<Cursor>(cursorRow)
    return {
      ...(row ? { ...row, frontier: new Map(row.frontier) } : NOTHING),
      ...(cursor ? { cursor } : {}),
    }
  }

  /** Whether a sync point of any peer was ever reached, and what the peers have disowned. */
  async summary(kv: KeyValueReader): Promise<{ everSynced: boolean; disowned: Set<ReplicaId> }> {
    let everSynced = false
    const disowned = new Set<ReplicaId>()
    for await (const page of kv.range({ gte: this.#memories, lt: `${this.#memories}~` })) {
      for (const [, bytes] of page) {
        const row = decodeJson<Row>(bytes)!
        everSynced ||= row.synced
        for (const rid of row.disowned) disowned.add(rid)
      }
    }
    return { everSynced, disowned }
  }

  /** All but the cursor. */
  write(txn: Transaction, peer: DeviceId, memory: PeerMemory): void {
    const { frontier, own, disowned, synced, basis } = memory
    const row: Row = { synced, frontier: [...frontier], own, disowned, ...(basis && { basis }) }
    txn.put(this.#memories + peer, encodeJson(row))
  }

  moveCursor(txn: Transaction, peer: DeviceId, cursor: Cursor): void {
    txn.put(this.#cursors + peer, encodeJson(cursor))
  }

  /** The registers begin anew. */
  async forgetBases(txn: Transaction): Promise<void> {
    for await (const page of txn.range({ gte: this.#memories, lt: `${this.#memories}~` })) {
      for (const [key, bytes] of page) {
        const { basis: _, ...row } = decodeJson<Row>(bytes)!
        txn.put(key, encodeJson(row))
      }
    }
  }

  async forgetCursors(txn: Transaction): Promise<void> {
    for await (const page of txn.range({ gte: this.#cursors, lt: `${this.#cursors}~` })) {
      for (const [key] of page) txn.del(key)
    }
  }

  forgetCursor(txn: Transaction, peer: DeviceId): void {
    txn.del(this.#cursors + peer)
  }
}
