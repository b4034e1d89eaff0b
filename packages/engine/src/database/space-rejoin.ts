import { DatabaseError, type DeviceId, type Vector } from '@tidemark/protocol'
import type { BegunAnew, BinderRows, OrphanedEntry } from '../binding.js'
import { meetVectors } from '../core/collectable.js'
import type { UserOp } from '../core/user-op.js'
import type { Version } from '../core/view-entry.js'
import type { KeyValueOp } from '../ports/key-value-store.js'
import { adoptOrphan, contentOf, type Orphan, replacedBy } from './orphan.js'
import { Rejoin, type RejoinState } from './rejoin.js'
import { RejoinSteps } from './rejoin-steps.js'
import type { Outcome, SpaceStore } from './space-store.js'
import type { Transaction } from './transaction.js'
import type { TreeReader } from './tree-reader.js'
import { type VectorChange, VectorTable } from './vector-table.js'

/**
 * What may still be claimed to a peer that went back: what was collected here and is shown by nothing that is left
 * it cannot tell from a false claim. Of ids of which something was collected that it has not, nothing above what it
 * has: a claim would take in what went, and who still has that, and comes later, would keep it alone.
 */
function claimOf(state: RejoinState, left: Vector): Vector {
  const doubt = doubtOf(state)
  const claim = meetVectors([state.frontier, left])
  return new Map([...claim].map(([rid, seq]) => [rid, Math.min(seq, doubt.get(rid) ?? seq)]))
}

/** The ids of which something may have been collected that the peer has not, and what it has of them. */
const doubtOf = ({ floor, shared }: RejoinState): Vector =>
  new Map(
    [...floor].flatMap(([rid, seq]) => (seq > (shared.get(rid) ?? 0) ? [[rid, shared.get(rid) ?? 0]] : [])),
  )

/** Local ops, as `SpaceDatabase.commit`, with the rows of their batch. */
type CommitWithRows = (
  ops: (tree: TreeReader) => Promise<readonly UserOp[]>,
  rows: () => BinderRows,
) => Promise<unknown>

/** Carries a rejoin out; a crash in between is taken up at the next open. */
export class SpaceRejoin implements BegunAnew {
  readonly #store: SpaceStore
  readonly #steps: RejoinSteps
  readonly #rejoin: Rejoin
  readonly #commit: CommitWithRows
  readonly #setFloor: (txn: Transaction, floor: Vector) => () => void
  #count = 0
  /** What a beginning that has ended put aside, or noted, may still be there. */
  #hasLeftovers = true
  #turn: Promise<unknown> = Promise.resolve()

  /** @param parts.setFloor See `SpaceGc.setFloor`. */
  constructor(
    store: SpaceStore,
    { commit, setFloor }: { commit: CommitWithRows; setFloor(txn: Transaction, floor: Vector): () => void },
  ) {
    this.#store = store
    this.#steps = new RejoinSteps(store)
    this.#rejoin = new Rejoin(`${store.prefix}z/`)
    this.#commit = commit
    this.#setFloor = setFloor
  }

  /** How often this object began anew: peers must begin from the start. */
  get count(): number {
    return this.#count
  }

  get state(): RejoinState | undefined {
    return this.#rejoin.state
  }

  load(): Promise<void> {
    return this.#rejoin.load(this.#store.options.storage)
  }

  /** Goes on with what a crash, or an error of the database, has interrupted; it costs nothing where none did. */
  async resume(): Promise<void> {
    if (this.#isUnderWay || (!this.state && this.#hasLeftovers)) await this.#inTurn(() => this.#goOn())
  }

  /** Beginnings, what is left of them and what gives them up, one after the other: each takes many batches. */
  #inTurn<T>(fn: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(fn)
    this.#turn = result.catch(() => undefined)
    return result
  }

  /**
   * Writes under own dots. What is written while only a part is forgotten, or is back, would be forgotten too, or
   * claimed and shown nowhere: a beginning that was interrupted is gone on with first.
   *
   * @throws {DatabaseError} BEGINS_ANEW: one was interrupted while this waited for its turn; what the database
   *   answers, whom one still interrupts. Nothing was written.
   */
  async write<T>(fn: (txn: Transaction) => Promise<Outcome<T>>): Promise<T> {
    // No `resume`: what is left of one that has ended is itself written through here, from within its turn.
    if (this.#isUnderWay) await this.#inTurn(() => this.#goOn())
    return this.#store.write((txn) => {
      if (this.#isUnderWay)
        throw new DatabaseError('BEGINS_ANEW', 'this device begins anew: write again later')
      return fn(txn)
    })
  }

  async #goOn(): Promise<void> {
    if (this.#isUnderWay)
      await this.#steps.alone(() => (this.state?.phase === 'restore' ? this.#restore() : this.#forget()))
    if (!this.state && this.#hasLeftovers) await this.#adoptOrphans()
  }

  get #isUnderWay(): boolean {
    return this.state !== undefined && this.state.phase !== 'wait'
  }

  /** See `BegunAnew`. */
  get phase(): BegunAnew['phase'] {
    if (!this.#rejoin.isUnsettled) return 'no'
    return this.state ? 'awaited' : 'here'
  }

  async *orphans(): AsyncGenerator<readonly OrphanedEntry[]> {
    const { received, options } = this.#store
    const reader = received.reader(options.storage)
    for await (const page of this.#rejoin.orphans(options.storage)) {
      yield await Promise.all(
        page.map(async ({ orphan }) => ({ entry: orphan.entry, replaces: await replacedBy(orphan, reader) })),
      )
    }
  }

  async settled(rows: readonly KeyValueOp[]): Promise<void> {
    // Only then: after a crash in between they are asked for again.
    await this.#steps.write(async (txn) => {
      this.#store.putRows(txn, rows)
      return { publish: this.#rejoin.setUnsettled(txn, false), view: [] }
    })
    await this.#forgetOrphans()
  }

  async #forgetOrphans(): Promise<void> {
    for await (const page of this.#rejoin.orphans(this.#store.options.storage)) {
      await this.#steps.write(async (txn) => {
        for (const { key } of page) txn.del(key)
        return {}
      })
    }
  }

  /** Until it awaits the peer's state nobody else writes. */
  begin(makeState: () => RejoinState, publishMore: (txn: Transaction) => () => void): Promise<void> {
    return this.#inTurn(async () => {
      // Of two beginnings the second may be given up, and with it all that is noted.
      await this.#goOn()
      await this.#steps.alone(() => this.#begin(makeState, publishMore))
    })
  }

  async #begin(makeState: () => RejoinState, publishMore: (txn: Transaction) => () => void): Promise<void> {
    const state = makeState()
    const { mode } = state
    const left = new VectorTable('').change()
    if (mode === 'relearn') await this.#readAll(left)
    const frontier = mode === 'relearn' ? claimOf(state, left.met) : state.frontier
    await this.#steps.writeAlone(async (txn) => {
      const publishes = [
        this.#rejoin.begin(txn, { ...state, frontier }),
        ...(this.#hasBinder && mode === 'forget' ? [this.#rejoin.setUnsettled(txn, true)] : []),
        this.#steps.reset(txn, left.held),
        publishMore(txn),
      ]
      return {
        view: [],
        publish: () => {
          for (const publish of publishes) publish()
          this.#count++
        },
      }
    })
    await this.#forget()
  }

  async #readAll(into: VectorChange): Promise<void> {
    const { received, options } = this.#store
    for await (const nodes of received.all(options.storage)) for (const node of nodes) into.received(node)
  }

  /**
   * Ids of which some writes were forgotten and are nowhere else: nobody's frontier may ever reach what is left
   * of them.
   */
  lostBy(frontier: Vector): Vector {
    if (this.state?.mode !== 'forget') return new Map()
    const above = [...this.state.frontier].filter(([rid, seq]) => (frontier.get(rid) ?? 0) < seq)
    return new Map(above.map(([rid]) => [rid, frontier.get(rid) ?? 0]))
  }

  /** A hub speaks for the group: one that came in the place of the one whose state is awaited, too. */
  async followHub(peer: DeviceId): Promise<void> {
    const awaitsOther = () => this.state?.phase === 'wait' && this.state.peer !== peer
    if (!awaitsOther()) return
    await this.#steps.write(async (txn) =>
      awaitsOther() ? { publish: this.#rejoin.begin(txn, { ...this.state!, peer }) } : {},
    )
  }

  isEndedBy(peer: DeviceId, frontier: Vector): boolean {
    return this.#rejoin.isEndedBy(peer, frontier)
  }

  /** See `Rejoin.isLessShared`. */
  isLessShared(peer: DeviceId, frontier: Vector): boolean {
    return this.#rejoin.isLessShared(peer, frontier)
  }

  /** In the batch of the sync point with which the base is here. @returns makes it visible. */
  end(txn: Transaction): () => void {
    return this.#leaving(this.#rejoin.end(txn))
  }

  #leaving(publish: () => void): () => void {
    return () => {
      publish()
      this.#hasLeftovers = true
    }
  }

  /** Alone: a write in between would be lost, or see half a tree. */
  async #forget(): Promise<void> {
    if (this.state?.mode === 'forget') await this.#forgetNodes()
    await this.#steps.writeAlone(async (txn) => {
      const publish = this.#rejoin.moveTo(txn, 'wait')
      const { state } = this
      let publishLost = (): void => {}
      if (state?.mode === 'relearn') {
        // What is kept is as old as the peer's last collection of which this one heard: the bases stay.
        await this.#store.peers.forgetCursors(txn)
        publishLost = this.#store.incarnations.declareLost(txn, doubtOf(state)).publish
      } else await this.#steps.forgetCursors(txn)
      return {
        view: [],
        publish: () => {
          publish()
          publishLost()
        },
      }
    })
  }

  async #forgetNodes(): Promise<void> {
    const { received } = this.#store
    const { storage } = this.#store.options
    if (this.state?.phase === 'note') {
      for await (const nodes of received.all(storage)) {
        await this.#steps.writeAlone(async (txn) => {
          await this.#rejoin.noteOrphans(txn, nodes, received.reader(txn))
          this.#rejoin.keepAside(txn, nodes)
          return {}
        })
      }
      await this.#steps.writeAlone(async (txn) => ({ publish: this.#rejoin.moveTo(txn, 'wipe') }))
    }
    await this.#steps.wipe()
  }

  /**
   * The peer went back to a backup while its state was awaited: what was forgotten comes back, and the two
   * compare again.
   *
   * @returns whether that was so.
   */
  restoreIfBaseLost(peer: DeviceId, frontier: Vector): Promise<boolean> {
    return this.#inTurn(async () => {
      await this.#goOn()
      const isBaseLost = () => this.#rejoin.isBaseLost(peer, frontier)
      if (!isBaseLost()) return false
      let isLost = false
      // From here on no sync point of another peer ends the beginning: half of what was forgotten may be back.
      await this.#steps.write(async (txn) => {
        isLost = isBaseLost()
        return isLost ? { publish: this.#rejoin.moveTo(txn, 'restore') } : {}
      })
      await this.#goOn()
      return isLost
    })
  }

  async #restore(): Promise<void> {
    const { storage } = this.#store.options
    for await (const page of this.#rejoin.aside(storage)) {
      await this.#steps.writeAlone((txn) =>
        this.#steps.restore(
          txn,
          page.map(({ node }) => node),
        ),
      )
    }
    await this.#steps.writeAlone(async (txn) => {
      const before = this.state!
      const publishes = [
        this.#steps.raise(txn, before.frontier),
        this.#setFloor(txn, before.floor),
        this.#leaving(this.#rejoin.abandon(txn)),
      ]
      await this.#steps.forgetCursors(txn)
      // Nothing is gone: nothing is to be brought back.
      for await (const page of this.#rejoin.orphans(txn)) for (const { key } of page) txn.del(key)
      return {
        view: [],
        publish: () => {
          for (const publish of publishes) publish()
          this.#count++
        },
      }
    })
  }

  async #clearAside(): Promise<void> {
    const { storage } = this.#store.options
    for await (const page of this.#rejoin.aside(storage)) {
      await this.#steps.write(async (txn) => {
        for (const { key } of page) txn.del(key)
        return {}
      })
    }
  }

  /** Once the peer's state is here: what is shown nowhere comes back as new. A binder sends what its disk has. */
  async #adoptOrphans(): Promise<void> {
    const { storage } = this.#store.options
    await this.#clearAside()
    if (this.#rejoin.isUnsettled) return
    if (this.#hasBinder) await this.#forgetOrphans()
    for await (const page of this.#rejoin.orphans(storage)) {
      for (const { key, orphan } of page) {
        if (await this.#isKept(orphan))
          await this.#commit(
            (tree) => adoptOrphan(orphan, tree),
            () => this.#rowsOf(orphan),
          )
        await this.#steps.write(async (txn) => {
          txn.del(key)
          return {}
        })
      }
    }
    this.#hasLeftovers = false
  }

  /** What others wrote, and what has no bytes here, they bring back themselves. */
  async #isKept({ written, entry: { version } }: Orphan): Promise<boolean> {
    const dot = written?.content[0]?.dot
    if (!dot || !hasBytes(version) || this.#store.incarnations.isOwn(dot.rid)) return true
    return (await this.#store.options.adopted?.holds(contentOf(version))) ?? true
  }

  #rowsOf({ entry: { version } }: Orphan): BinderRows {
    const { adopted } = this.#store.options
    return { ops: (hasBytes(version) && adopted?.rows(contentOf(version))) || [], touch: [] }
  }

  get #hasBinder(): boolean {
    return this.#store.synced !== undefined
  }
}

const hasBytes = (version: Version | undefined): version is Version =>
  version !== undefined && version.target === undefined && version.size > 0
