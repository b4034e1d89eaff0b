import type { Cursor, DeviceId, ReplicaId, Vector } from '@tidemark/protocol'
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
}

interface Row {
  readonly cursor?: Cursor
  readonly synced: boolean
  readonly frontier: readonly (readonly [ReplicaId, number])[]
  readonly own: readonly ReplicaId[]
  readonly disowned: readonly ReplicaId[]
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

/** One row a peer device. */
export class PeerMemories {
  constructor(private readonly prefix: string) {}

  async read(kv: KeyValueReader, peer: DeviceId): Promise<PeerMemory> {
    const row = decodeJson<Row>(await kv.get(this.prefix + peer))
    if (!row) return NOTHING
    return {
      ...(row.cursor ? { cursor: row.cursor } : {}),
      frontier: new Map(row.frontier),
      own: row.own,
      disowned: row.disowned,
      synced: row.synced,
    }
  }

  /** Whether a sync point of any peer was ever reached, and what the peers have disowned. */
  async summary(kv: KeyValueReader): Promise<{ everSynced: boolean; disowned: Set<ReplicaId> }> {
    let everSynced = false
    const disowned = new Set<ReplicaId>()
    for await (const page of kv.range({ gte: this.prefix, lt: `${this.prefix}~` })) {
      for (const [, bytes] of page) {
        const row = decodeJson<Row>(bytes)!
        everSynced ||= row.synced
        for (const rid of row.disowned) disowned.add(rid)
      }
    }
    return { everSynced, disowned }
  }

  write(txn: Transaction, peer: DeviceId, { cursor, frontier, own, disowned, synced }: PeerMemory): void {
    const row: Row = { ...(cursor ? { cursor } : {}), synced, frontier: [...frontier], own, disowned }
    txn.put(this.prefix + peer, encodeJson(row))
  }
}
