import {
  type BlobClient,
  type BlobStore,
  type Grant,
  GrantExpiredError,
  StoreError,
} from '@tidemark/protocol'

/** What is the matter with the blob store, for everybody. */
export type StoreTrouble = 'none' | 'refuses' | 'lies' | 'expires'

export const STORE_TROUBLES: ReadonlySet<string> = new Set(['refuses', 'lies', 'expires', 'heals'])

/** What a store that lies does to bytes; a planted bug knows how to undo it. */
export const corrupted = (bytes: Uint8Array): Uint8Array => bytes.map((byte) => byte ^ 0x80)

/** A device's way to the store: `trouble` says how it is at the moment. */
export function troubledBlobClient(client: BlobClient, trouble: () => StoreTrouble): BlobClient {
  const check = (_grant: Grant): void => {
    if (trouble() === 'refuses') throw new StoreError('the store is overloaded', 503)
    if (trouble() === 'expires') throw new GrantExpiredError('the grant is over')
  }
  return {
    async put(grant, body, options) {
      check(grant)
      await client.put(grant, body, options)
    },
    async get(grant, range, options) {
      check(grant)
      const bytes = await client.get(grant, range, options)
      return trouble() === 'lies' ? corrupted(bytes) : bytes
    },
  }
}

/** The hub's own way to the store: one that refuses refuses the hub too. */
export function troubledBlobStore(store: BlobStore, trouble: () => StoreTrouble): BlobStore {
  const troubled =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      check()
      return call(...args)
    }
  const check = (): void => {
    if (trouble() === 'refuses') throw new StoreError('the store is overloaded', 503)
  }
  return {
    supports: store.supports,
    put: troubled(store.put.bind(store)),
    stat: troubled(store.stat.bind(store)),
    read: troubled(store.read.bind(store)),
    delete: troubled(store.delete.bind(store)),
    grantPut: troubled(store.grantPut.bind(store)),
    grantGet: troubled(store.grantGet.bind(store)),
    async *list(space) {
      check()
      yield* store.list(space)
    },
  }
}
