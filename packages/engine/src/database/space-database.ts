import {
  type Cursor,
  type DeviceId,
  joinVectors,
  maxHlc,
  type NodeEntry,
  type Open,
  ProtocolError,
  type RunId,
  type SpaceName,
  type Vector,
  vectorAtMost,
} from '@tidemark/protocol'
import type { BegunAnew, BinderRows, Materialised } from '../binding.js'
import { checkIncoming, dropIgnored, stampsOf } from '../core/incoming.js'
import type { UserOp } from '../core/user-op.js'
import type { EntryKey } from '../core/view-entry.js'
import { isAlive } from '../core/visibility.js'
import type { KeyValueOp, KeyValueReader, KeyValueSnapshot } from '../ports/key-value-store.js'
import { bury } from './bury.js'
import { type CommittedOps, commitOps } from './commit-ops.js'
import { LostIds } from './lost-ids.js'
import { materialise } from './materialise.js'
import { type PeerMemory, withOwn } from './peer-memory.js'
import { prefixed } from './prefixed-reader.js'
import type { RejoinMode } from './rejoin.js'
import { SpaceGc } from './space-gc.js'
import type { SpaceChange, SpaceDatabaseOptions, SpaceMode } from './space-options.js'
import { SpaceRefusals } from './space-refusals.js'
import { SpaceRejoin } from './space-rejoin.js'
import type { SpaceSnapshot } from './space-snapshot.js'
import { SpaceStore } from './space-store.js'
import { StateDigests } from './state-digest.js'
import { Transaction } from './transaction.js'
import type { TreeReader } from './tree-reader.js'

export type { SpaceChange, SpaceDatabaseOptions, SpaceMode }

/**
 * All that one replica believes of one space, in its part of the local database. One writer at a time;
 * every change is one atomic batch. Nothing is resident per entry.
 *
 * Keys below `s/<space>/`: `r/…` received tree, `y/…` synced tree, `l/ x/` log, `v/` vectors, `i/…`
 * incarnations, `p/` peers, `do/ dk/` dirty marks, `b/` the binder's rows, `n` counters, `m` the mode.
 */
export class SpaceDatabase {
  readonly space: SpaceName
  readonly mode: SpaceMode
  readonly #store: SpaceStore
  /** Members, and the collection of what is dead for all of them. */
  readonly gc: SpaceGc
  readonly #rejoin: SpaceRejoin
  /** What a hub does not take, and what becomes of it. */
  readonly refusals: SpaceRefusals
  #everSynced = false
  #repaired = 0
  readonly #digests: StateDigests
  readonly #lostIds: LostIds

  private constructor(options: SpaceDatabaseOptions) {
    const store = new SpaceStore(options)
    this.#store = store
    this.space = options.space
    this.mode = options.mode
    this.gc = new SpaceGc({
      ...store,
      ...options,
      prefix: `${store.prefix}c/`,
      frontier: () => this.frontier,
      isApplied: async (txn) => this.isWhole && (await store.marks.oldest(txn, 1)).length === 0,
      write: (fn) =>
        store.write(async (txn) => ({ sync: false, ...(await fn(txn)), counters: store.counters })),
      bury: (ids) => bury(store, ids),
    })
    this.#digests = new StateDigests(store.received, store.options.sha256)
    this.#rejoin = new SpaceRejoin(store, {
      commit: (ops, rows) => this.commit(ops, rows),
      setFloor: (txn, floor) => this.gc.setFloor(txn, floor),
    })
    const vectors = { frontier: () => this.frontier, known: () => this.#known }
    this.refusals = new SpaceRefusals(store, vectors, this.#rejoin)
    this.#lostIds = new LostIds(store)
  }

  static async open(options: SpaceDatabaseOptions): Promise<SpaceDatabase> {
    const database = new SpaceDatabase(options)
    await database.#open()
    return database
  }

  async #open(): Promise<void> {
    const { storage } = this.#store.options
    await this.#store.load()
    await this.gc.load(storage)
    const txn = new Transaction(storage)
    await this.#store.incarnations.begin(storage, txn, this.#store.counters.lseq, this.#store.options.device)
    await txn.commit({ sync: true })
    this.#everSynced = await this.#store.peers.everSynced(storage)
    await this.#rejoin.load()
    await this.#rejoin.resume()
  }

  get received(): TreeReader {
    return this.#store.received.reader(this.#store.options.storage)
  }

  /** What the user sees: the disk's state where a folder is bound, else what is known. */
  get synced(): TreeReader {
    return (this.#store.synced ?? this.#store.received).reader(this.#store.options.storage)
  }

  /** What this replica truly has. */
  get frontier(): Vector {
    return this.#store.vectors.frontier
  }

  get device(): DeviceId {
    return this.#store.options.device
  }

  get met(): Vector {
    return this.#store.vectors.met
  }

  get run(): RunId {
    return this.#store.incarnations.run
  }

  /** Of positions inside a round. */
  get partialRun(): RunId {
    return this.#store.incarnations.partialRun
  }

  get lost(): Vector {
    return this.#store.incarnations.lost
  }

  /** This database's replica ids, with the last dot that it knows of each. */
  get own(): Vector {
    return this.#store.incarnations.own(this.#known)
  }

  /**
   * No joined dot is above the frontier: the view is whole. Dots of lost incarnations are excepted: some may
   * never be in anybody's frontier (semantics-rules B8). Until they are covered they go out again with each
   * new session; to write them again under own dots would bring back what others, not met yet, deleted.
   */
  get isWhole(): boolean {
    return !this.isRejoining && this.#store.vectors.isWhole(this.lost)
  }

  /** What was here before has to come from a peer again: until then nothing is served. */
  get isRejoining(): boolean {
    return this.#rejoin.state !== undefined
  }

  /** What OPEN says of it to that peer: see `Open.basis`. */
  basisOf({ basis }: PeerMemory): RunId | undefined {
    return this.isCut ? basis : undefined
  }

  /** It holds entries of a round that has not come to its end here, and none did before. */
  get isCut(): boolean {
    return this.#hasOnlyOwn && this.#store.vectors.isPartial
  }

  /** No round of anybody has come to its end here. */
  get #hasOnlyOwn(): boolean {
    const { own } = this
    return [...this.frontier.keys()].every((rid) => own.has(rid))
  }

  /** How often it began anew since it was opened. */
  get rejoins(): number {
    return this.#rejoin.count
  }

  /** The frontier as it will be when a rejoin is through. */
  get #known(): Vector {
    const { state } = this.#rejoin
    return state ? joinVectors(this.frontier, state.frontier) : this.frontier
  }

  /** Files, directories and links that an audit put right since it was opened. */
  get repaired(): number {
    return this.#repaired
  }

  /** A sync point was reached at least once in the life of this database. */
  get everSynced(): boolean {
    return this.#everSynced
  }

  /** Called after each batch that changed registers or the frontier. @returns stops it. */
  onChange(listener: (change: SpaceChange) => void): () => void {
    this.#store.listeners.add(listener)
    return () => this.#store.listeners.delete(listener)
  }

  /** Rows of the binder. */
  get rows(): KeyValueReader {
    return prefixed(this.#store.options.storage, this.#store.rowPrefix)
  }

  /**
   * Local ops, durable when it resolves; `rows` are in the same batch.
   *
   * @param ops Or what finds them in the tree that the user sees, as it is when their turn comes.
   * @throws {PathError} as `commitOps`; as `SpaceRejoin.write`.
   */
  async commit(
    ops: readonly UserOp[] | ((synced: TreeReader) => Promise<readonly UserOp[]>),
    rows: (result: CommittedOps) => BinderRows | Promise<BinderRows> = () => NO_ROWS,
  ): Promise<CommittedOps> {
    const store = this.#store
    return this.#rejoin.write(async (txn) => {
      const change = store.vectors.change()
      const writer = store.writer(txn, change)
      const synced = store.synced ?? store.received
      const result = await commitOps({
        txn,
        synced,
        received: store.received,
        ops: typeof ops === 'function' ? await ops(synced.reader(txn)) : ops,
        writer,
      })
      const { lseq } = await store.appendLog(txn, result.nodes)
      let { dirty } = store.counters
      dirty = (await store.dirtyTracker?.committed(txn, result, dirty)) ?? dirty
      const { ops: rowOps, touch } = await rows(result)
      if (touch.length > 0) dirty = await store.marks.mark(txn, touch, dirty)
      store.putRows(txn, rowOps)
      return {
        value: result,
        sync: true,
        vectors: change,
        counters: { lseq, dirty, hlc: writer.hlc },
        change: { view: result.receivedChanges },
      }
    })
  }

  /**
   * Registers from a peer, with the cursor behind them, in one batch. Durable with the next sync point.
   *
   * @param cursor `undefined`: it stays, because something before it was not taken.
   * @param isRepair What lives is taken although the frontier holds it: an audit showed that something is missing.
   * @param rejoins Those of which the peer was told: when the turn comes and there are more, nothing is written.
   * @returns the positions in the own log that these entries took, with those they had before.
   * @throws {ProtocolError} BAD_ENTRY, KIND_CHANGED; {LimitError} too many replica ids: nothing was written.
   */
  async receive(
    peer: DeviceId,
    entries: readonly NodeEntry[],
    cursor: Cursor | undefined,
    isRepair = false,
    rejoins = this.rejoins,
  ): Promise<readonly { lseq: number; previous: number }[]> {
    return this.#store.write(async (txn) => {
      if (rejoins !== this.rejoins) return { value: [], sync: false, counters: this.#store.counters }
      const change = this.#store.vectors.change()
      const current = this.#store.incarnations.current
      const ids = entries.map(({ id }) => id)
      const known = await this.#store.received.nodes(txn, ids)
      const wanted: NodeEntry[] = []
      let { hlc } = this.#store.counters
      for (const [i, entry] of entries.entries()) {
        checkIncoming(entry, current, this.#known)
        change.received(entry)
        for (const stamp of stampsOf(entry)) hlc = maxHlc(hlc, stamp)
        wanted.push(isRepair && isAlive(entry) ? entry : dropIgnored(entry, known[i], this.frontier))
      }
      const joined = await this.#store.received.join(txn, wanted)
      const moved = await this.#store.appendLog(txn, joined.nodes)
      let { dirty } = this.#store.counters
      dirty = (await this.#store.dirtyTracker?.joined(txn, joined, dirty)) ?? dirty
      if (cursor) this.#store.peers.moveCursor(txn, peer, cursor)
      if (isRepair) this.#repaired += joined.nodes.length
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
   * @param rejoins As for `receive`.
   * @throws {ProtocolError} FRONTIER_UNFOUNDED: the sender claims what it never showed; nothing changed.
   */
  async syncPoint(
    peer: DeviceId,
    point: { cursor: Cursor; frontier: Vector; risen?: Vector; met: Vector; lost: Vector; floor: Vector },
    rejoins = this.rejoins,
  ): Promise<void> {
    await this.#store.write(async (txn) => {
      if (rejoins !== this.rejoins) return { value: undefined, sync: false, counters: this.#store.counters }
      const { state } = this.#rejoin
      const endsRejoin = this.#rejoin.isEndedBy(peer, point.frontier)
      const isBootstrap = state !== undefined || this.frontier.size === 0
      // To one that begins a peer cannot show what was collected: a copy of a device that never met one too.
      const isFirst = this.#hasOnlyOwn || !this.#everSynced
      const hidden = isFirst ? point.floor : new Map()
      if (!isBootstrap && !vectorAtMost(point.frontier, joinVectors(this.met, hidden))) {
        throw new ProtocolError('FRONTIER_UNFOUNDED', 'the peer claims writes that it never showed')
      }
      if (!vectorAtMost(point.floor, point.frontier)) {
        throw new ProtocolError('FRONTIER_UNFOUNDED', 'the peer claims to have collected what it never had')
      }
      const change = this.#store.vectors.change()
      const isTaken = !state || endsRejoin
      if (isTaken) change.raiseFrontier(point.frontier)
      if (endsRejoin && state?.mode === 'relearn') change.raiseFrontier(state.frontier)
      change.raiseMet(point.frontier)
      await this.#store.peers.heard(txn, peer, point)
      this.#store.peers.moveCursor(txn, peer, point.cursor)
      const known = joinVectors(this.#known, point.frontier)
      const lostToo = endsRejoin ? this.#rejoin.lostBy(point.frontier) : []
      const believed = this.#store.incarnations.believed(point.lost, this.met)
      const lost = await this.#lostIds.declare(txn, {
        met: point.met,
        known,
        lost: [...believed, ...lostToo],
      })
      const rises = change.frontier.size > 0
      return {
        value: undefined,
        sync: true,
        vectors: change,
        counters: this.#store.counters,
        ...(rises || lost.fresh.size > 0 || endsRejoin ? { change: { view: [] } } : {}),
        publish: all(
          lost.publish,
          isTaken ? this.gc.raiseFloor(txn, point.floor) : undefined,
          endsRejoin ? this.#rejoin.end(txn) : undefined,
          () => {
            this.#everSynced = true
          },
        ),
      }
    })
    await this.resumeRejoin()
  }

  /**
   * Takes a peer's state instead of what both have or had: it has collected what may still be here, or this
   * database went back to an old backup, or the peer did and is the one that counts (design 5.5).
   */
  async rejoin(
    peer: DeviceId,
    { frontier: shared }: { readonly frontier: Vector },
    mode: RejoinMode,
  ): Promise<void> {
    await this.#rejoin.begin(
      () => {
        const { floor } = this.#rejoin.state ?? this.gc
        return { mode, peer, frontier: this.#known, floor, shared, phase: 'note' }
      },
      (txn) => this.gc.beginAnew(txn),
    )
  }

  /** See `SpaceRejoin.resume`. Before each OPEN: what it says would be of a state that is half forgotten. */
  resumeRejoin = (): Promise<void> => this.#rejoin.resume()

  /** For a binder. */
  get begunAnew(): BegunAnew {
    return this.#rejoin
  }

  /** See `SpaceRejoin.followHub`. */
  followHub = (peer: DeviceId): Promise<void> => this.#rejoin.followHub(peer)

  /** See `SpaceRejoin.restoreIfBaseLost` and `Rejoin.isLessShared`. */
  async restoreIfBaseLost(peer: DeviceId, frontier: Vector): Promise<boolean> {
    const isLess = this.#rejoin.isLessShared(peer, frontier)
    if (isLess) await this.rejoin(peer, { frontier }, 'relearn')
    return isLess || this.#rejoin.restoreIfBaseLost(peer, frontier)
  }

  /** What we remember of a peer. */
  peer(peer: DeviceId): Promise<PeerMemory> {
    return this.#store.peers.read(this.#store.options.storage, peer)
  }

  /** The peer's log starts anew for us: our cursor in it was void. */
  async forgetCursor(peer: DeviceId): Promise<void> {
    await this.#store.write(async (txn) => {
      this.#store.peers.forgetCursor(txn, peer)
      return { value: undefined, sync: false, counters: this.#store.counters }
    })
  }

  /**
   * What a peer's OPEN says of collections and of incarnations. Declares lost: our own ids of which the
   * peer met more than we know, and ids that the peer's device once named and no longer does. (Of those that
   * it names it can tell best itself: what we met of its current one may have overtaken its OPEN on another
   * way.)
   */
  async noteOpen(
    peer: DeviceId,
    { own, met = new Map(), sweep }: Partial<Pick<Open, 'own' | 'met'>> & Pick<Open, 'sweep'>,
  ): Promise<void> {
    await this.#store.write(async (txn) => {
      const known = await this.#store.peers.read(txn, peer)
      const before = own ? withOwn(known, [...own.keys()]) : known
      const memory = { ...before, basis: (this.#store.vectors.isPartial && before.basis) || sweep }
      this.#store.peers.write(txn, peer, memory)
      const { disowned } = memory
      const { fresh, publish } = await this.#lostIds.declare(txn, { met, known: this.#known, disowned })
      return {
        value: undefined,
        sync: true,
        counters: this.#store.counters,
        publish,
        ...(fresh.size > 0 ? { change: { view: [] } } : {}),
      }
    })
  }

  isGoodCursor(cursor: Cursor): boolean {
    return this.#store.incarnations.isGood(cursor, this.#store.counters.lseq)
  }

  /** Oldest first; empty while the view is not whole, unless that is said to be good enough. */
  async dirty(limit: number, isGoodEnough = this.isWhole): Promise<readonly EntryKey[]> {
    return isGoodEnough ? this.#store.marks.oldest(this.#store.options.storage, limit) : []
  }

  /** See `SpaceBinding.materialised`. */
  materialised(
    done: readonly Materialised[],
    rows: readonly KeyValueOp[],
    options: { sync: boolean; touch?: readonly EntryKey[] },
  ): Promise<void> {
    return materialise(this.#store, done, rows, options)
  }

  async touch(keys: readonly EntryKey[]): Promise<void> {
    await this.#store.write(async (txn) => {
      const dirty = await this.#store.marks.mark(txn, keys, this.#store.counters.dirty)
      return { value: undefined, sync: false, counters: { ...this.#store.counters, dirty } }
    })
  }

  async writeRows(ops: readonly KeyValueOp[], options: { sync: boolean }): Promise<void> {
    await this.#store.write(async (txn) => {
      this.#store.putRows(txn, ops)
      return { value: undefined, sync: options.sync, counters: this.#store.counters }
    })
  }

  /** One state, for a round. */
  snapshot(): Promise<SpaceSnapshot> {
    return this.#store.exclusive(async () => {
      const kv: KeyValueSnapshot = this.#store.options.storage.snapshot()
      const { frontier, met } = this
      const { floor } = this.gc
      const { lseq } = this.#store.counters
      const { rejoins } = this
      return {
        lseq,
        frontier,
        met,
        floor,
        log: (after) => this.#store.log.read(kv, after),
        nodes: (ids) => this.#store.received.nodes(kv, ids),
        digest: () => this.#digests.at(`${rejoins} ${lseq}`, kv),
        close: () => kv.close(),
      }
    })
  }

  get lseq(): number {
    return this.#store.counters.lseq
  }

  /** Waits for the writes that are under way. */
  async idle(): Promise<void> {
    await this.#store.idle()
  }

  /** Waits for the writes that are under way; from now on others fail with `CLOSED`. Idempotent. */
  close(): Promise<void> {
    return this.#store.close()
  }
}

const all = (...publishes: readonly ((() => void) | undefined)[]): (() => void) => {
  return () => {
    for (const publish of publishes) publish?.()
  }
}

const NO_ROWS: BinderRows = { ops: [], touch: [] }
