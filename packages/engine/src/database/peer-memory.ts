import {
  type Cursor,
  type DeviceId,
  joinVectors,
  type ReplicaId,
  type RunId,
  type Vector,
} from '@tidemark/protocol'
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

/** What has risen is kept beside the frontier while it is short. */
const RISEN_MAX = 64

/**
 * Four rows a peer device: the cursor moves with every frame, what has risen in its frontier with every sync point,
 * and the rest, which is longer, seldom; what it disowned is read of all devices at once.
 */
export class PeerMemories {
  readonly #cursors: string
  readonly #memories: string
  readonly #risen: string
  readonly #disowned: string

  constructor(prefix: string) {
    this.#cursors = `${prefix}c/`
    this.#memories = `${prefix}m/`
    this.#risen = `${prefix}r/`
    this.#disowned = `${prefix}d/`
  }

  async read(kv: KeyValueReader, peer: DeviceId): Promise<PeerMemory> {
    const prefixes = [this.#memories, this.#cursors, this.#risen, this.#disowned]
    const [memoryRow, cursorRow, risenRow, disownedRow] = await kv.getMany(
      prefixes.map((each) => each + peer),
    )
    const row = decodeJson<Row>(memoryRow)
    const cursor = decodeJson<Cursor>(cursorRow)
    const disowned = decodeJson<readonly ReplicaId[]>(disownedRow)
    return {
      ...NOTHING,
      ...(row ? { ...row, frontier: joinVectors(new Map(row.frontier), risenIn(risenRow)) } : {}),
      ...(disowned ? { disowned } : {}),
      ...(cursor ? { cursor } : {}),
    }
  }

  /** Whether a sync point of any peer was ever reached. */
  async everSynced(kv: KeyValueReader): Promise<boolean> {
    for await (const page of kv.range({ gte: this.#memories, lt: `${this.#memories}~` })) {
      if (page.some(([, bytes]) => decodeJson<Row>(bytes)!.synced)) return true
    }
    return false
  }

  /** What each device has disowned. */
  async *disowned(kv: KeyValueReader): AsyncGenerator<readonly ReplicaId[]> {
    for await (const page of kv.range({ gte: this.#disowned, lt: `${this.#disowned}~` })) {
      for (const [, bytes] of page) yield decodeJson<readonly ReplicaId[]>(bytes)!
    }
  }

  /** All but the cursor. */
  write(txn: Transaction, peer: DeviceId, memory: PeerMemory): void {
    const { frontier, own, disowned, synced, basis } = memory
    const row: Row = { synced, frontier: [...frontier], own, ...(basis && { basis }) }
    txn.put(this.#memories + peer, encodeJson(row))
    if (disowned.length > 0) txn.put(this.#disowned + peer, encodeJson(disowned))
    else txn.del(this.#disowned + peer)
    txn.del(this.#risen + peer)
  }

  /** A sync point. @param risen What of the frontier it had not said before; absent: it says all. */
  async heard(
    txn: Transaction,
    peer: DeviceId,
    { frontier, risen }: { readonly frontier: Vector; readonly risen?: Vector },
  ): Promise<void> {
    if (risen) {
      const all = joinVectors(risenIn(await txn.get(this.#risen + peer)), risen)
      if (all.size <= RISEN_MAX) return txn.put(this.#risen + peer, encodeJson([...all]))
    }
    this.write(txn, peer, { ...(await this.read(txn, peer)), frontier, synced: true })
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

const risenIn = (bytes: Uint8Array | undefined): Vector =>
  new Map(decodeJson<readonly (readonly [ReplicaId, number])[]>(bytes))
