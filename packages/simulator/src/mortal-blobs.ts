import type { BlobClient, BlobStore } from '@tidemark/protocol'
import { type Death, type Life, never, type Trap } from './life.js'

/** A program that may die at one of its calls to a blob store. */
export interface BlobMortal {
  readonly life: Life
  readonly trap: Trap
  onDeath(death: Death): void
}

/** @returns the call: of a dead program it is not carried out, and whoever died in it learns nothing. */
function mortal<A extends unknown[], R>(
  { life, trap, onDeath }: BlobMortal,
  call: (...args: A) => Promise<R>,
): (...args: A) => Promise<R> {
  return async (...args) => {
    if (!life.isAlive) return never()
    const death = trap.springs()
    if (death === undefined) return call(...args)
    if (death === 'before') {
      life.end()
      onDeath(death)
      return never()
    }
    // What was on its way arrives: a store has a blob or has it not.
    const done = call(...args).catch(() => undefined)
    life.end()
    onDeath(death)
    await done
    return never()
  }
}

/** A device's way to the store. */
export const mortalClient = (client: BlobClient, who: BlobMortal): BlobClient => ({
  put: mortal(who, (...args: Parameters<BlobClient['put']>) => client.put(...args)),
  get: mortal(who, (...args: Parameters<BlobClient['get']>) => client.get(...args)),
})

/** A hub's own store. A listing is one call. */
export const mortalBlobStore = (store: BlobStore, who: BlobMortal): BlobStore => ({
  supports: store.supports,
  put: mortal(who, store.put.bind(store)),
  stat: mortal(who, store.stat.bind(store)),
  read: mortal(who, store.read.bind(store)),
  delete: mortal(who, store.delete.bind(store)),
  grantPut: mortal(who, store.grantPut.bind(store)),
  grantGet: mortal(who, store.grantGet.bind(store)),
  async *list(space) {
    await mortal(who, async () => undefined)()
    yield* store.list(space)
  },
})
