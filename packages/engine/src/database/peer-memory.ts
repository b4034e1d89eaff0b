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
  /** Replica ids that its device named as its own, with the highest sequence number that it knew of each. */
  readonly own: Vector
  /** A sync point of it was reached. */
  readonly synced: boolean
}

interface Row {
  readonly cursor?: Cursor
  readonly synced: boolean
  readonly frontier: readonly (readonly [ReplicaId, number])[]
  readonly own: readonly (readonly [ReplicaId, number])[]
}

const NOTHING: PeerMemory = { frontier: new Map(), own: new Map(), synced: false }

/** One row a peer device. */
export class PeerMemories {
  constructor(private readonly prefix: string) {}

  async read(kv: KeyValueReader, peer: DeviceId): Promise<PeerMemory> {
    const row = decodeJson<Row>(await kv.get(this.prefix + peer))
    if (!row) return NOTHING
    return {
      ...(row.cursor ? { cursor: row.cursor } : {}),
      frontier: new Map(row.frontier),
      own: new Map(row.own),
      synced: row.synced,
    }
  }

  /** Whether a sync point of any peer was ever reached. */
  async any(kv: KeyValueReader): Promise<boolean> {
    for await (const page of kv.range({ gte: this.prefix, lt: `${this.prefix}~` })) {
      for (const [, row] of page) if (decodeJson<Row>(row)?.synced) return true
    }
    return false
  }

  write(txn: Transaction, peer: DeviceId, { cursor, frontier, own, synced }: PeerMemory): void {
    const row: Row = { ...(cursor ? { cursor } : {}), synced, frontier: [...frontier], own: [...own] }
    txn.put(this.prefix + peer, encodeJson(row))
  }
}
