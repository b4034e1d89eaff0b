import type { DeviceId, Vector } from '@tidemark/protocol'
import { meetVectors } from '../core/collectable.js'
import type { UserOp } from '../core/user-op.js'
import { adoptOrphan } from './orphan.js'
import { Rejoin, type RejoinState } from './rejoin.js'
import { RejoinSteps } from './rejoin-steps.js'
import type { SpaceStore } from './space-store.js'
import type { Transaction } from './transaction.js'
import type { TreeReader } from './tree-reader.js'
import { type VectorChange, VectorTable } from './vector-table.js'

/** Carries a rejoin out; a crash in between is taken up at the next open. */
export class SpaceRejoin {
  readonly #store: SpaceStore
  readonly #steps: RejoinSteps
  readonly #rejoin: Rejoin
  readonly #commit: (ops: (tree: TreeReader) => Promise<readonly UserOp[]>) => Promise<unknown>
  #count = 0

  /** @param commit Local ops, as `SpaceDatabase.commit`. */
  constructor(
    store: SpaceStore,
    commit: (ops: (tree: TreeReader) => Promise<readonly UserOp[]>) => Promise<unknown>,
  ) {
    this.#store = store
    this.#steps = new RejoinSteps(store)
    this.#rejoin = new Rejoin(`${store.prefix}z/`)
    this.#commit = commit
  }

  /** How often this object began anew: peers must begin from the start. */
  get count(): number {
    return this.#count
  }

  get state(): RejoinState | undefined {
    return this.#rejoin.state
  }

  async resume(): Promise<void> {
    await this.#rejoin.load(this.#store.options.storage)
    if (this.state && this.state.phase !== 'wait') await this.#steps.alone(() => this.#forget())
    if (!this.state) await this.adoptOrphans()
  }

  /** What the peer had when this database last forgot: its binder's rows from before may hold more. */
  unsettled(): Promise<Vector | undefined> {
    return this.#rejoin.unsettled(this.#store.options.storage)
  }

  /** The binder has looked at its rows. */
  settle(): Promise<void> {
    return this.#steps.write(async (txn) => {
      this.#rejoin.settle(txn)
      return {}
    })
  }

  /** Until it awaits the peer's state nobody else writes. */
  async begin(makeState: () => RejoinState, publishMore: (txn: Transaction) => () => void): Promise<void> {
    await this.#steps.alone(async () => {
      const state = makeState()
      const left = new VectorTable('').change()
      if (state.mode === 'relearn') await this.#readAll(left)
      // What was collected here, and is shown by nothing that is left, cannot be claimed to one who has not heard of it.
      const frontier = state.mode === 'relearn' ? meetVectors([state.frontier, left.met]) : state.frontier
      await this.#steps.writeAlone(async (txn) => {
        const publishes = [
          this.#rejoin.begin(txn, { ...state, frontier }),
          this.#steps.reset(txn, left.held),
          publishMore(txn),
        ]
        return {
          publish: () => {
            for (const publish of publishes) publish()
          },
        }
      })
      await this.#forget()
    })
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

  isEndedBy(peer: DeviceId, frontier: Vector): boolean {
    return this.#rejoin.isEndedBy(peer, frontier)
  }

  /** In the batch of the sync point with which the base is here. @returns makes it visible. */
  end(txn: Transaction): () => void {
    return this.#rejoin.end(txn)
  }

  /** Alone: a write in between would be lost, or see half a tree. */
  async #forget(): Promise<void> {
    if (this.state?.mode === 'forget') await this.#forgetNodes()
    await this.#steps.writeAlone(async (txn) => {
      const publish = this.#rejoin.moveTo(txn, 'wait')
      await this.#steps.forgetCursors(txn)
      return {
        view: [],
        publish: () => {
          publish()
          this.#count++
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
  async restoreIfBaseLost(
    peer: DeviceId,
    frontier: Vector,
    publishMore: (txn: Transaction, before: RejoinState) => () => void,
  ): Promise<boolean> {
    if (!this.#rejoin.isBaseLost(peer, frontier)) return false
    const { storage } = this.#store.options
    for await (const page of this.#rejoin.aside(storage)) {
      await this.#steps.write((txn) =>
        this.#steps.restore(
          txn,
          page.map(({ node }) => node),
        ),
      )
    }
    await this.#steps.write(async (txn) => {
      const before = this.state!
      const publishes = [
        this.#steps.raise(txn, before.frontier),
        publishMore(txn, before),
        this.#rejoin.abandon(txn),
      ]
      await this.#steps.forgetCursors(txn)
      return {
        view: [],
        publish: () => {
          for (const publish of publishes) publish()
          this.#count++
        },
      }
    })
    await this.#clearAside()
    return true
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

  /** Once the peer's state is here: what is shown nowhere comes back as new. A folder sends its own files. */
  async adoptOrphans(): Promise<void> {
    const { storage } = this.#store.options
    await this.#clearAside()
    for (const { key, orphan } of await this.#rejoin.orphans(storage)) {
      if (!this.#store.synced) await this.#commit((tree) => adoptOrphan(orphan, tree))
      await this.#steps.write(async (txn) => {
        txn.del(key)
        return {}
      })
    }
  }
}
