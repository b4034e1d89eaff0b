import type { NodeEntry, NodeId } from '@tidemark/protocol'
import { isWithin, lacksTombstone, type Reach, withoutHidden } from '../core/collectable.js'
import { sameSiblings } from '../core/same-siblings.js'
import { isAlive } from '../core/visibility.js'
import type { ChangeLog } from './change-log.js'
import type { Transaction } from './transaction.js'
import type { Tree } from './tree.js'

export interface CollectorOptions {
  readonly received: Tree
  readonly synced: Tree | undefined
  readonly log: ChangeLog
}

/** What one page of dead nodes came to. */
export interface Collected {
  /** Their registers are gone from here. */
  readonly gone: readonly NodeEntry[]
  /** Only their tombstones are left. */
  readonly stripped: readonly NodeEntry[]
  /** They need a tombstone before they can go. */
  readonly bare: readonly NodeId[]
  /** Some that everybody has applied cannot take even the first step yet: the disk lags behind. */
  readonly isHeldUp: boolean
}

/**
 * Takes away what is dead for everybody (design 5.5), in two steps, so that no replica forgets a tombstone
 * while another could still show what that hides (semantics-rules B6): first, when all members have applied
 * a node's writes, what its tombstone hides; then, when all members have done that, the tombstone.
 */
export class Collector {
  readonly #options: CollectorOptions

  constructor(options: CollectorOptions) {
    this.#options = options
  }

  async collect(txn: Transaction, ids: readonly NodeId[], { applied, stable }: Reach): Promise<Collected> {
    const { received, synced, log } = this.#options
    const nodes = await received.nodes(txn, ids)
    const shown = synced ? await synced.nodes(txn, ids) : []
    const above = await received.inClosure(txn, ids)
    const gone: NodeEntry[] = []
    const stripped: NodeEntry[] = []
    const bare: NodeId[] = []
    let isHeldUp = false
    for (const [i, id] of ids.entries()) {
      const node = nodes[i]
      if (!node || isAlive(node) || above.has(id) || !isWithin(node, applied)) continue
      const onDisk = shown[i]
      if (onDisk && !sameSiblings(onDisk, node)) isHeldUp = true
      else if (lacksTombstone(node)) bare.push(id)
      else if (isWithin(node, stable)) gone.push(node)
      else if (withoutHidden(node) !== node) stripped.push(node)
    }
    const less = [...gone.map(({ id, kind }) => nothingOf(id, kind)), ...stripped.map(withoutHidden)]
    await received.replace(txn, less)
    await synced?.replace(txn, less)
    await log.remove(
      txn,
      gone.map(({ id }) => id),
    )
    return { gone, stripped, bare, isHeldUp }
  }
}

export const nothingOf = (id: NodeId, kind: NodeEntry['kind']): NodeEntry => ({
  id,
  kind,
  loc: [],
  content: [],
  attr: [],
})
