import {
  type Cursor,
  type DeviceId,
  HLC_ZERO,
  type Hlc,
  joinVectors,
  maxHlc,
  type NodeEntry,
  ProtocolError,
  type ReplicaId,
  type RunId,
  type SpaceName,
  type Vector,
  vectorAtMost,
} from '@tidemark/protocol'
import type { BinderRows, Materialised } from '../binding.js'
import { checkIncoming, dropIgnored, stampsOf } from '../core/incoming.js'
import { sameSiblings } from '../core/same-siblings.js'
import type { UserOp } from '../core/user-op.js'
import { type EntryKey, sameEntry, type ViewChange } from '../core/view-entry.js'
import type { KeyValueOp, KeyValueReader, KeyValueSnapshot } from '../ports/key-value-store.js'
import { ChangeLog } from './change-log.js'
import { type CommittedOps, commitOps } from './commit-ops.js'
import { DirtyMarks } from './dirty-marks.js'
import { Incarnations } from './incarnations.js'
import { decodeJson, encodeJson } from './json-row.js'
import { nodeRowsOf } from './node-row.js'
import { PeerMemories, type PeerMemory, withOwn } from './peer-memory.js'
import { prefixed } from './prefixed-reader.js'
import type { SpaceChange, SpaceDatabaseOptions, SpaceMode } from './space-options.js'
import type { SpaceSnapshot } from './space-snapshot.js'
import { SpaceWriter } from './space-writer.js'
import { Transaction } from './transaction.js'
import { type JoinResult, Tree } from './tree.js'
import type { TreeReader } from './tree-reader.js'
import { VectorTable } from './vector-table.js'

export type { SpaceChange, SpaceDatabaseOptions, SpaceMode }

interface Counters {
  readonly lseq: number
  readonly dirty: number
  readonly hlc: Hlc
}

/**
 * All that one replica believes of one space, in its part of the local database. One writer at a time;
 * every change is one atomic batch. Nothing is resident per entry.
 *
 * Keys below `s/<space>/`: `r/…` received tree, `y/…` synced tree, `l/ x/` log, `v/` vectors, `i/…`
 * incarnations, `p/` peers, `do/ dk/` dirty marks, `b/` the binder's rows, `n` counters.
 */
export class SpaceDatabase {
  readonly space: SpaceName
  readonly mode: SpaceMode
  readonly #options: SpaceDatabaseOptions
  readonly #prefix: string
  readonly #received: Tree
  readonly #synced: Tree | undefined
  readonly #vectors: VectorTable
  readonly #log: ChangeLog
  readonly #marks: DirtyMarks
  readonly #peers: PeerMemories
  readonly #incarnations: Incarnations
  readonly #listeners = new Set<(change: SpaceChange) => void>()
  #counters: Counters = { lseq: 0, dirty: 0, hlc: HLC_ZERO }
  #everSynced = false
  /** Replica ids that their device no longer names. */
  #disowned = new Set<ReplicaId>()
  #tail: Promise<unknown> = Promise.resolve()

  private constructor(options: SpaceDatabaseOptions) {
    const { space, mode, sha256 } = options
    this.#options = options
    this.space = space
    this.mode = mode
    this.#prefix = `s/${space}/`
    const rows = nodeRowsOf(options.storage)
    this.#received = new Tree({ prefix: `${this.#prefix}r/`, sha256, rows, view: mode !== 'relay' })
    this.#synced = mode === 'bound' ? new Tree({ prefix: `${this.#prefix}y/`, sha256, rows }) : undefined
    this.#vectors = new VectorTable(`${this.#prefix}v/`)
    this.#log = new ChangeLog(this.#prefix)
    this.#marks = new DirtyMarks(this.#prefix)
    this.#peers = new PeerMemories(`${this.#prefix}p/`)
    this.#incarnations = new Incarnations(`${this.#prefix}i/`, options.random)
  }

  static async open(options: SpaceDatabaseOptions): Promise<SpaceDatabase> {
    const database = new SpaceDatabase(options)
    await database.#open()
    return database
  }

  async #open(): Promise<void> {
    const { storage } = this.#options
    this.#counters = decodeJson<Counters>(await storage.get(`${this.#prefix}n`)) ?? this.#counters
    await this.#vectors.load(storage)
    const txn = new Transaction(storage)
    await this.#incarnations.begin(storage, txn, this.#counters.lseq, this.#options.device)
    await txn.commit({ sync: true })
    const { everSynced, disowned } = await this.#peers.summary(storage)
    this.#everSynced = everSynced
    this.#disowned = disowned
  }

  get received(): TreeReader {
    return this.#received.reader(this.#options.storage)
  }

  /** What the user sees: the disk's state where a folder is bound, else what is known. */
  get synced(): TreeReader {
    return (this.#synced ?? this.#received).reader(this.#options.storage)
  }

  /** What this replica truly has. */
  get frontier(): Vector {
    return this.#vectors.frontier
  }

  get met(): Vector {
    return this.#vectors.met
  }

  get run(): RunId {
    return this.#incarnations.run
  }

  /** Of positions inside a round. */
  get partialRun(): RunId {
    return this.#incarnations.partialRun
  }

  get lost(): Vector {
    return this.#incarnations.lost
  }

  /** This database's replica ids, with the last dot that it knows of each. */
  get own(): Vector {
    return this.#incarnations.own(this.frontier)
  }

  /**
   * No joined dot is above the frontier: the view is whole. Dots of lost incarnations are excepted: some may
   * never be in anybody's frontier (semantics-rules B8). Until they are covered they go out again with each
   * new session; to write them again under own dots would bring back what others, not met yet, deleted.
   */
  get isWhole(): boolean {
    for (const [rid, seq] of this.#vectors.held) {
      if ((this.frontier.get(rid) ?? 0) < seq && !this.lost.has(rid)) return false
    }
    return true
  }

  /** A sync point was reached at least once in the life of this database. */
  get everSynced(): boolean {
    return this.#everSynced
  }

  /** Called after each batch that changed registers or the frontier. @returns stops it. */
  onChange(listener: (change: SpaceChange) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Rows of the binder. */
  get rows(): KeyValueReader {
    return prefixed(this.#options.storage, this.#rowPrefix)
  }

  get #rowPrefix(): string {
    return `${this.#prefix}b/`
  }

  /**
   * Local ops, durable when it resolves; `rows` are in the same batch.
   *
   * @param ops Or what finds them in the tree that the user sees, as it is when their turn comes.
   */
  async commit(
    ops: readonly UserOp[] | ((synced: TreeReader) => Promise<readonly UserOp[]>),
    rows: (result: CommittedOps) => BinderRows | Promise<BinderRows> = () => NO_ROWS,
  ): Promise<CommittedOps> {
    return this.#write(async (txn) => {
      const change = this.#vectors.change()
      const writer = new SpaceWriter({
        ...this.#options,
        hlc: this.#counters.hlc,
        takeRid: () => this.#incarnations.takeCurrent(txn),
        lastSeq: (rid) => this.frontier.get(rid) ?? 0,
        wrote: (dot) => change.wrote(dot),
      })
      const synced = this.#synced ?? this.#received
      const result = await commitOps({
        txn,
        synced,
        received: this.#received,
        ops: typeof ops === 'function' ? await ops(synced.reader(txn)) : ops,
        writer,
      })
      const moved = await this.#appendLog(txn, result.nodes)
      let dirty = this.#synced ? await this.#markCommitted(txn, result) : this.#counters.dirty
      const { ops: rowOps, touch } = await rows(result)
      if (touch.length > 0) dirty = await this.#marks.mark(txn, touch, dirty)
      this.#putRows(txn, rowOps)
      return {
        value: result,
        sync: true,
        vectors: change,
        counters: { lseq: moved.lseq, dirty, hlc: writer.hlc },
        change: { view: result.receivedChanges },
      }
    })
  }

  /**
   * Registers from a peer, with the cursor behind them, in one batch. Durable with the next sync point.
   *
   * @returns the positions in the own log that these entries took, with those they had before.
   * @throws {ProtocolError} BAD_ENTRY, KIND_CHANGED: nothing was written.
   */
  async receive(
    peer: DeviceId,
    entries: readonly NodeEntry[],
    cursor: Cursor,
  ): Promise<readonly { lseq: number; previous: number }[]> {
    return this.#write(async (txn) => {
      const change = this.#vectors.change()
      const current = this.#incarnations.current
      const known = await this.#received.nodes(
        txn,
        entries.map((entry) => entry.id),
      )
      const wanted: NodeEntry[] = []
      let { hlc } = this.#counters
      for (const [i, entry] of entries.entries()) {
        checkIncoming(entry, current, this.frontier)
        change.received(entry)
        for (const stamp of stampsOf(entry)) hlc = maxHlc(hlc, stamp)
        wanted.push(dropIgnored(entry, known[i], this.frontier))
      }
      const joined = await this.#received.join(txn, wanted)
      const moved = await this.#appendLog(txn, joined.nodes)
      const dirty = this.#synced ? await this.#markReceived(txn, joined) : this.#counters.dirty
      this.#peers.moveCursor(txn, peer, cursor)
      return {
        value: moved.entries,
        sync: false,
        vectors: change,
        counters: { lseq: moved.lseq, dirty, hlc },
        ...(joined.nodes.length > 0 ? { change: { view: joined.changes } } : {}),
      }
    })
  }

  /**
   * The end of a round, made durable with all that came before it. The frontier takes in the sender's.
   *
   * @throws {ProtocolError} FRONTIER_UNFOUNDED: the sender claims what it never showed; nothing changed.
   */
  async syncPoint(
    peer: DeviceId,
    point: { cursor: Cursor; frontier: Vector; met: Vector; lost: Vector },
  ): Promise<void> {
    await this.#write(async (txn) => {
      const isBootstrap = this.frontier.size === 0
      if (!isBootstrap && !vectorAtMost(point.frontier, this.met)) {
        throw new ProtocolError('FRONTIER_UNFOUNDED', 'the peer claims writes that it never showed')
      }
      const change = this.#vectors.change()
      change.raiseFrontier(point.frontier)
      change.raiseMet(point.frontier)
      const memory = await this.#peers.read(txn, peer)
      this.#peers.write(txn, peer, { ...memory, frontier: point.frontier, synced: true })
      this.#peers.moveCursor(txn, peer, point.cursor)
      const known = joinVectors(this.frontier, point.frontier)
      const lost = this.#incarnations.declareLost(
        txn,
        new Map([...point.lost, ...this.#incarnations.behind(point.met, known), ...this.#metDisowned()]),
      )
      const rises = change.frontier.size > 0
      return {
        value: undefined,
        sync: true,
        vectors: change,
        counters: this.#counters,
        ...(rises || lost.length > 0 ? { change: { view: [] } } : {}),
      }
    })
    this.#everSynced = true
  }

  /** What we remember of a peer. */
  peer(peer: DeviceId): Promise<PeerMemory> {
    return this.#peers.read(this.#options.storage, peer)
  }

  /** The peer's log starts anew for us: our cursor in it was void. */
  async forgetCursor(peer: DeviceId): Promise<void> {
    await this.#write(async (txn) => {
      this.#peers.forgetCursor(txn, peer)
      return { value: undefined, sync: false, counters: this.#counters }
    })
  }

  /**
   * What a peer's OPEN says of incarnations. Declares lost: our own ids of which the peer met more than we
   * know, and ids that the peer's device once named and no longer does. (Of those that it names it can tell
   * best itself: what we met of its current one may have overtaken its OPEN on another way.)
   */
  async noteIncarnations(peer: DeviceId, theirs: { own: Vector; met: Vector }): Promise<void> {
    await this.#write(async (txn) => {
      const memory = withOwn(await this.#peers.read(txn, peer), [...theirs.own.keys()])
      this.#peers.write(txn, peer, memory)
      for (const rid of memory.disowned) this.#disowned.add(rid)
      const declared = this.#incarnations.declareLost(
        txn,
        new Map([...this.#incarnations.behind(theirs.met, this.frontier), ...this.#metDisowned()]),
      )
      return {
        value: undefined,
        sync: true,
        counters: this.#counters,
        ...(declared.length > 0 ? { change: { view: [] } } : {}),
      }
    })
  }

  /** Disowned replica ids that did write. */
  #metDisowned(): Map<ReplicaId, number> {
    return new Map([...this.#disowned].filter((rid) => this.met.has(rid)).map((rid) => [rid, 0]))
  }

  isGoodCursor(cursor: Cursor): boolean {
    return this.#incarnations.isGood(cursor, this.#counters.lseq)
  }

  /** Oldest first; empty while the view is not whole, unless that is said to be good enough. */
  async dirty(limit: number, isGoodEnough = this.isWhole): Promise<readonly EntryKey[]> {
    return isGoodEnough ? this.#marks.oldest(this.#options.storage, limit) : []
  }

  /** See `SpaceBinding.materialised`. */
  async materialised(
    done: readonly Materialised[],
    rows: readonly KeyValueOp[],
    options: { sync: boolean },
  ): Promise<void> {
    const synced = this.#synced
    if (!synced) throw new TypeError('the space is not bound')
    await this.#write(async (txn) => {
      const { changes } = await synced.join(
        txn,
        done.flatMap((item) => item.nodes),
      )
      await txn.prefetch(this.#received.entryRows(done.map(({ key }) => key)))
      const received = this.#received.reader(txn)
      const clean: EntryKey[] = []
      for (const { key, as, nodes } of done) {
        if (!sameEntry(await received.entry(key), as)) continue
        // The entry may have been read after newer registers came, these before: then they are still to come.
        const now = await this.#received.nodes(
          txn,
          nodes.map(({ id }) => id),
        )
        if (nodes.every((node, i) => sameSiblings(node, now[i]))) clean.push(key)
      }
      await this.#marks.clear(txn, clean)
      const planned = new Set(done.map(({ key }) => key))
      const shifted = changes.filter(({ key }) => !planned.has(key))
      const dirty = await this.#markDifferent(txn, shifted)
      this.#putRows(txn, rows)
      // The pass that called may have looked at them already: another one is wanted.
      const more = dirty > this.#counters.dirty ? { change: { view: [] } } : {}
      return { value: undefined, sync: options.sync, counters: { ...this.#counters, dirty }, ...more }
    })
  }

  async touch(keys: readonly EntryKey[]): Promise<void> {
    await this.#write(async (txn) => {
      const dirty = await this.#marks.mark(txn, keys, this.#counters.dirty)
      return { value: undefined, sync: false, counters: { ...this.#counters, dirty } }
    })
  }

  async writeRows(ops: readonly KeyValueOp[], options: { sync: boolean }): Promise<void> {
    await this.#write(async (txn) => {
      this.#putRows(txn, ops)
      return { value: undefined, sync: options.sync, counters: this.#counters }
    })
  }

  /** One state, for a round. */
  snapshot(): Promise<SpaceSnapshot> {
    return this.#exclusive(async () => {
      const kv: KeyValueSnapshot = this.#options.storage.snapshot()
      const { frontier, met } = this
      return {
        lseq: this.#counters.lseq,
        frontier,
        met,
        log: (after) => this.#log.read(kv, after),
        nodes: (ids) => this.#received.nodes(kv, ids),
        close: () => kv.close(),
      }
    })
  }

  get lseq(): number {
    return this.#counters.lseq
  }

  /** Waits for the writes that are under way. */
  async idle(): Promise<void> {
    await this.#tail
  }

  async #appendLog(
    txn: Transaction,
    nodes: readonly NodeEntry[],
  ): Promise<{ lseq: number; entries: { lseq: number; previous: number }[] }> {
    const { lseq } = this.#counters
    const entries = await this.#log.append(
      txn,
      nodes.map((node) => node.id),
      lseq,
    )
    return { lseq: lseq + entries.length, entries }
  }

  /**
   * All changes: that `synced` shows an entry the same already says nothing about the disk, where it may have
   * the name that it had beside another one which never came here. And all nodes, shown as before or not: what
   * `synced` never takes in, it shows elsewhere as soon as others change, and no write there covers.
   */
  #markReceived(txn: Transaction, { nodes, changes }: JoinResult): Promise<number> {
    const keys = new Set<EntryKey>([...changes.map(({ key }) => key), ...nodes.map(({ id }) => id)])
    return this.#marks.mark(txn, [...keys], this.#counters.dirty)
  }

  /** What changed in `received` alone is another's affair; the rest is on disk, where both show the same. */
  async #markCommitted(txn: Transaction, { receivedChanges, changes }: CommittedOps): Promise<number> {
    const own = new Set(changes.map(({ key }) => key))
    const others = receivedChanges.filter(({ key }) => !own.has(key)).map(({ key }) => key)
    const dirty = await this.#markDifferent(txn, changes)
    return this.#marks.mark(txn, others, dirty)
  }

  /** Marks those that the two trees show differently: a change of either may be one that the other lacks. */
  async #markDifferent(txn: Transaction, changes: readonly ViewChange[]): Promise<number> {
    if (changes.length === 0) return this.#counters.dirty
    const keys = new Set(changes.map((change) => change.key))
    await txn.prefetch([...this.#synced!.entryRows(keys), ...this.#received.entryRows(keys)])
    const synced = this.#synced!.reader(txn)
    const received = this.#received.reader(txn)
    const different: EntryKey[] = []
    for (const key of keys) {
      if (!sameEntry(await synced.entry(key), await received.entry(key))) different.push(key)
    }
    return this.#marks.mark(txn, different, this.#counters.dirty)
  }

  #putRows(txn: Transaction, ops: readonly KeyValueOp[]): void {
    for (const op of ops) {
      if (op.type === 'put') txn.put(this.#rowPrefix + op.key, op.value)
      else txn.del(this.#rowPrefix + op.key)
    }
  }

  /** Runs `fn` alone; on success its transaction is committed, then what it changed is made visible. */
  #write<T>(
    fn: (txn: Transaction) => Promise<{
      value: T
      sync: boolean
      vectors?: ReturnType<VectorTable['change']>
      counters: Counters
      change?: SpaceChange
    }>,
  ): Promise<T> {
    return this.#exclusive(async () => {
      const txn = new Transaction(this.#options.storage)
      const { value, sync, vectors, counters, change } = await fn(txn)
      const publish = vectors ? this.#vectors.stage(txn, vectors) : undefined
      if (counters !== this.#counters) txn.put(`${this.#prefix}n`, encodeJson(counters))
      await txn.commit({ sync })
      publish?.()
      this.#counters = counters
      if (change) for (const listener of this.#listeners) listener(change)
      return value
    })
  }

  #exclusive<T>(fn: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(fn)
    this.#tail = result.catch(() => undefined)
    return result
  }
}

const NO_ROWS: BinderRows = { ops: [], touch: [] }
