import { type EntryKey, sameEntry, type ViewChange } from '../core/view-entry.js'
import type { CommittedOps } from './commit-ops.js'
import type { DirtyMarks } from './dirty-marks.js'
import type { Transaction } from './transaction.js'
import type { JoinResult, Tree } from './tree.js'

/** Which entries the binder must look at after a change. Each returns the last order number given out. */
export class DirtyTracker {
  constructor(
    private readonly marks: DirtyMarks,
    private readonly received: Tree,
    private readonly synced: Tree,
  ) {}

  /**
   * All changes: that `synced` shows an entry the same already says nothing about the disk, where it may have
   * the name that it had beside another one which never came here. And all nodes, shown as before or not: what
   * `synced` never takes in, it shows elsewhere as soon as others change, and no write there covers.
   */
  joined(txn: Transaction, { nodes, changes }: JoinResult, after: number): Promise<number> {
    const keys = new Set<EntryKey>([...changes.map(({ key }) => key), ...nodes.map(({ id }) => id)])
    return this.marks.mark(txn, [...keys], after)
  }

  /** What changed in `received` alone is another's affair; the rest is on disk, where both show the same. */
  async committed(
    txn: Transaction,
    { receivedChanges, changes }: CommittedOps,
    after: number,
  ): Promise<number> {
    const own = new Set(changes.map(({ key }) => key))
    const others = receivedChanges.filter(({ key }) => !own.has(key)).map(({ key }) => key)
    const dirty = await this.different(txn, changes, after)
    return this.marks.mark(txn, others, dirty)
  }

  /** Marks those that the two trees show differently: a change of either may be one that the other lacks. */
  async different(txn: Transaction, changes: readonly ViewChange[], after: number): Promise<number> {
    if (changes.length === 0) return after
    const keys = new Set(changes.map((change) => change.key))
    await txn.prefetch([...this.synced.entryRows(keys), ...this.received.entryRows(keys)])
    const synced = this.synced.reader(txn)
    const received = this.received.reader(txn)
    const different: EntryKey[] = []
    for (const key of keys) {
      if (!sameEntry(await synced.entry(key), await received.entry(key))) different.push(key)
    }
    return this.marks.mark(txn, different, after)
  }
}
