import type { NodeEntry, Vector } from '@tidemark/protocol'
import { entryKey, type ViewChange } from '../core/view-entry.js'
import type { Outcome, SpaceStore } from './space-store.js'
import type { Transaction } from './transaction.js'

/** What one batch of a rejoin changes. */
export interface RejoinBatch {
  readonly publish?: (() => void) | undefined
  /** The last dirty mark given out. */
  readonly dirty?: number
  /** The last log position given out. */
  readonly lseq?: number
  readonly view?: readonly ViewChange[]
}

/** What a rejoin does to the parts of a space's database. */
export class RejoinSteps {
  constructor(private readonly store: SpaceStore) {}

  write(fn: (txn: Transaction) => Promise<RejoinBatch>): Promise<void> {
    return this.store.write((txn) => this.#outcome(fn, txn))
  }

  /** As `write`, from within `alone`. */
  writeAlone(fn: (txn: Transaction) => Promise<RejoinBatch>): Promise<void> {
    return this.store.commit((txn) => this.#outcome(fn, txn))
  }

  /** Runs `fn` while nobody else writes. */
  alone<T>(fn: () => Promise<T>): Promise<T> {
    return this.store.exclusive(fn)
  }

  async #outcome(fn: (txn: Transaction) => Promise<RejoinBatch>, txn: Transaction): Promise<Outcome<void>> {
    const { publish, view, ...moved } = await fn(txn)
    const counters = { ...this.store.counters, ...moved }
    return { value: undefined, sync: true, counters, publish, ...(view ? { change: { view } } : {}) }
  }

  async forgetCursors(txn: Transaction): Promise<void> {
    await this.store.peers.forgetCursors(txn)
    await this.store.peers.forgetBases(txn)
  }

  /** The frontier is at least this. @returns makes it visible once the batch is in. */
  raise(txn: Transaction, frontier: Vector): () => void {
    const change = this.store.vectors.change()
    change.raiseFrontier(frontier)
    return this.store.vectors.stage(txn, change)
  }

  /**
   * The frontier begins anew, under another replica id.
   *
   * @param held What is held from now on.
   * @returns makes it visible once the batch is in.
   */
  reset(txn: Transaction, held: Vector): () => void {
    const change = this.store.vectors.change()
    change.reset(held)
    const publish = this.store.vectors.stage(txn, change)
    return () => {
      publish()
      this.store.incarnations.renew()
    }
  }

  /** Registers that went come back. */
  async restore(txn: Transaction, nodes: readonly NodeEntry[]): Promise<RejoinBatch> {
    const result = await this.store.received.join(txn, nodes)
    const { lseq } = await this.store.appendLog(txn, result.nodes)
    const { dirty } = this.store.counters
    const change = this.store.vectors.change()
    for (const node of nodes) change.received(node)
    return {
      publish: this.store.vectors.stage(txn, change),
      view: result.changes,
      lseq,
      dirty: (await this.store.dirtyTracker?.joined(txn, result, dirty)) ?? dirty,
    }
  }

  /** The trees and the log go. The dirty marks of all entries stay: what a disk shows must be looked at. */
  async wipe(): Promise<void> {
    for await (const entries of this.store.received.entries(this.store.options.storage)) {
      const changes = entries.map((before): ViewChange => ({ key: entryKey(before), before }))
      await this.store.commit(async (txn) => {
        const keys = changes.map(({ key }) => key)
        const dirty = this.store.synced
          ? await this.store.marks.mark(txn, keys, this.store.counters.dirty)
          : 0
        return {
          value: undefined,
          sync: false,
          counters: { ...this.store.counters, dirty },
          change: { view: changes },
        }
      })
    }
    for (const part of ['r/', 'y/', 'l/', 'x/']) {
      const range = { gte: this.store.prefix + part, lt: `${this.store.prefix}${part.slice(0, -1)}0` }
      for await (const page of this.store.options.storage.range(range)) {
        await this.store.options.storage.batch(
          page.map(([key]) => ({ type: 'del', key })),
          { sync: false },
        )
      }
    }
  }
}
