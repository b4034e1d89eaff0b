import type { ReplicaId, Vector } from '@tidemark/protocol'
import type { SpaceStore } from './space-store.js'
import type { Transaction } from './transaction.js'

interface Findings {
  /** What a peer met. */
  readonly met: Vector
  /** What is here, or will be. */
  readonly known: Vector
  /** With the last dot that is left of each. */
  readonly lost?: Iterable<[ReplicaId, number]>
  /** Ids that their device no longer names: those that did write are lost. */
  readonly disowned?: readonly ReplicaId[]
}

/** Finds out which replica ids are lost: those of databases that went back. */
export class LostIds {
  readonly #store: SpaceStore
  /** How many ids had been met when all that any device has disowned was looked through. */
  #metThen = 0

  constructor(store: SpaceStore) {
    this.#store = store
  }

  /** Own ids of which the peer met more than is known are lost too. @returns as `Incarnations.declareLost`. */
  async declare(txn: Transaction, { met, known, lost = [], disowned = [] }: Findings) {
    const { incarnations, vectors } = this.#store
    const { size } = vectors.met
    const all = new Map([...lost, ...incarnations.behind(met, known)])
    const note = (rids: readonly ReplicaId[]) => {
      for (const rid of rids) if (vectors.met.has(rid)) all.set(rid, 0)
    }
    note(disowned)
    // What was disowned before it was met may have come from somebody else.
    if (size !== this.#metThen) for await (const rids of this.#store.peers.disowned(txn)) note(rids)
    const { fresh, publish } = incarnations.declareLost(txn, all)
    return {
      fresh,
      publish: () => {
        publish()
        this.#metThen = size
      },
    }
  }
}
