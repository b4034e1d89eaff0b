import type { ReplicaId, Vector } from '@tidemark/protocol'
import type { SpaceStore } from './space-store.js'
import type { Transaction } from './transaction.js'

/** Finds out which replica ids are lost: those of databases that went back. */
export class LostIds {
  readonly #store: SpaceStore
  /** Replica ids that their device no longer names. */
  #disowned = new Set<ReplicaId>()

  constructor(store: SpaceStore) {
    this.#store = store
  }

  /** Their device no longer names these. */
  disown(rids: Iterable<ReplicaId>): void {
    for (const rid of rids) this.#disowned.add(rid)
  }

  /**
   * With `more`: own ids of which somebody met more than is known, and disowned replica ids that did write.
   *
   * @returns as `Incarnations.declareLost`.
   */
  declare(txn: Transaction, met: Vector, known: Vector, more: Iterable<[ReplicaId, number]> = []) {
    const { incarnations, vectors } = this.#store
    const disowned = [...this.#disowned].filter((rid) => vectors.met.has(rid))
    const all = [...more, ...incarnations.behind(met, known), ...disowned.map((rid) => [rid, 0] as const)]
    return incarnations.declareLost(txn, new Map(all))
  }
}
