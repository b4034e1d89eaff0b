import { DatabaseError, HLC_ZERO, type Hlc, type NodeEntry } from '@tidemark/protocol'
import type { KeyValueOp, KeyValueStore } from '../ports/key-value-store.js'
import { ChangeLog } from './change-log.js'
import { DirtyMarks } from './dirty-marks.js'
import { DirtyTracker } from './dirty-tracker.js'
import { Incarnations } from './incarnations.js'
import { decodeJson, encodeJson } from './json-row.js'
import { nodeRowsOf } from './node-row.js'
import { PeerMemories } from './peer-memory.js'
import type { SpaceChange, SpaceDatabaseOptions } from './space-options.js'
import { SpaceWriter } from './space-writer.js'
import { Transaction } from './transaction.js'
import { Tree } from './tree.js'
import { type VectorChange, VectorTable } from './vector-table.js'

/** What a batch came to. */
export interface Outcome<T> {
  readonly value: T
  readonly sync: boolean
  readonly vectors?: VectorChange
  readonly counters: Counters
  readonly change?: SpaceChange
  /** Makes visible what the batch says besides. */
  readonly publish?: (() => void) | undefined
}

export interface Counters {
  readonly lseq: number
  readonly dirty: number
  readonly hlc: Hlc
}

/** The parts of one space's database, and the one way to change them: alone, in one atomic batch. */
export class SpaceStore {
  readonly options: SpaceDatabaseOptions
  readonly prefix: string
  readonly received: Tree
  readonly synced: Tree | undefined
  readonly vectors: VectorTable
  readonly log: ChangeLog
  readonly marks: DirtyMarks
  readonly dirtyTracker: DirtyTracker | undefined
  readonly peers: PeerMemories
  readonly incarnations: Incarnations
  readonly listeners = new Set<(change: SpaceChange) => void>()
  counters: Counters = { lseq: 0, dirty: 0, hlc: HLC_ZERO }
  #tail: Promise<unknown> = Promise.resolve()
  #isClosed = false

  constructor(options: SpaceDatabaseOptions) {
    const { space, mode, sha256, storage, random } = options
    this.options = options
    this.prefix = `s/${space}/`
    const rows = nodeRowsOf(storage)
    this.received = new Tree({ prefix: `${this.prefix}r/`, sha256, rows, view: mode !== 'relay' })
    this.synced = mode === 'bound' ? new Tree({ prefix: `${this.prefix}y/`, sha256, rows }) : undefined
    this.vectors = new VectorTable(`${this.prefix}v/`)
    this.log = new ChangeLog(this.prefix)
    this.marks = new DirtyMarks(this.prefix)
    this.dirtyTracker = this.synced && new DirtyTracker(this.marks, this.received, this.synced)
    this.peers = new PeerMemories(`${this.prefix}p/`)
    this.incarnations = new Incarnations(`${this.prefix}i/`, random)
  }

  async load(): Promise<void> {
    const { storage } = this.options
    this.counters = decodeJson<Counters>(await storage.get(`${this.prefix}n`)) ?? this.counters
    await this.vectors.load(storage)
    await this.#reindex()
  }

  /** Databases from before tombstones were collected. Taken up again from the start after a crash. */
  async #reindex(): Promise<void> {
    const { storage } = this.options
    const marker = `${this.prefix}t`
    if (await storage.get(marker)) return
    for (const tree of [this.received, this.synced]) {
      if (tree) for await (const nodes of tree.all(storage)) await reindexPage(storage, tree, nodes)
    }
    await storage.batch([{ type: 'put', key: marker, value: encodeJson(1) }], { sync: true })
  }

  /** Of the binder's rows. */
  get rowPrefix(): string {
    return `${this.prefix}b/`
  }

  /** Waits for the writes that are under way. */
  async idle(): Promise<void> {
    await this.#tail
  }

  /** Waits for the writes that are under way; others fail from now on: the rows may be somebody else's soon. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#tail
  }

  async appendLog(
    txn: Transaction,
    nodes: readonly NodeEntry[],
  ): Promise<{ lseq: number; entries: { lseq: number; previous: number }[] }> {
    const { lseq } = this.counters
    const entries = await this.log.append(
      txn,
      nodes.map((node) => node.id),
      lseq,
    )
    return { lseq: lseq + entries.length, entries }
  }

  writer(txn: Transaction, change: VectorChange): SpaceWriter {
    return new SpaceWriter({
      ...this.options,
      hlc: this.counters.hlc,
      takeRid: () => this.incarnations.takeCurrent(txn),
      lastSeq: (rid) => this.vectors.frontier.get(rid) ?? 0,
      wrote: (dot) => change.wrote(dot),
    })
  }

  putRows(txn: Transaction, ops: readonly KeyValueOp[]): void {
    for (const op of ops) {
      if (op.type === 'put') txn.put(this.rowPrefix + op.key, op.value)
      else txn.del(this.rowPrefix + op.key)
    }
  }

  /** Runs `fn` alone; on success its transaction is committed, then what it changed is made visible. */
  write<T>(fn: (txn: Transaction) => Promise<Outcome<T>>): Promise<T> {
    return this.exclusive(() => this.commit(fn))
  }

  async commit<T>(fn: (txn: Transaction) => Promise<Outcome<T>>): Promise<T> {
    const txn = new Transaction(this.options.storage)
    const { value, sync, vectors, counters, change, publish } = await fn(txn)
    const publishVectors = vectors ? this.vectors.stage(txn, vectors) : undefined
    if (counters !== this.counters) txn.put(`${this.prefix}n`, encodeJson(counters))
    await txn.commit({ sync })
    publishVectors?.()
    publish?.()
    this.counters = counters
    if (change) for (const listener of this.listeners) listener(change)
    return value
  }

  /** @throws {DatabaseError} CLOSED. */
  async exclusive<T>(fn: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new DatabaseError('CLOSED', `the space ${this.options.space} is closed`)
    const result = this.#tail.then(fn)
    this.#tail = result.catch(() => undefined)
    return await result
  }
}

async function reindexPage(storage: KeyValueStore, tree: Tree, nodes: readonly NodeEntry[]): Promise<void> {
  const txn = new Transaction(storage)
  await tree.reindex(txn, nodes)
  await txn.commit({ sync: false })
}
