import type { BlobClient, BlobId, BlobStore, Grant, SpaceName } from '@tidemark/protocol'
import type { BlobStoreFixture } from '@tidemark/protocol/conformance'
import type { Outside } from './outside.js'

/** Year 2100, milliseconds: grants of the simulation end by an act of it, not by a clock. */
const NEVER_MS = 4_102_444_800_000

/** An embedder's blob store in the place of one of the simulation's; virtual time waits for its calls. */
export class AdaptedStore {
  readonly store: BlobStore
  /** Carries out grants: the embedder's, or, for a store that gives none, by its `put` and `read`. */
  readonly client: BlobClient
  #store: BlobStore

  constructor(
    private readonly fixture: BlobStoreFixture,
    private readonly outside: Outside,
  ) {
    this.#store = fixture.store
    const own = tracked(() => this.#store, outside)
    const { store, client } = fixture.client ? { store: own, client: fixture.client } : withGrants(own)
    this.store = store
    this.client = {
      put: (...args) => outside.track('an upload', client.put(...args)),
      get: (...args) => outside.track('a download', client.get(...args)),
    }
  }

  /** The program that used it is dead, and another one will find what is durable. */
  async reopen(): Promise<void> {
    if (!this.fixture.reopen) return
    // A death never falls into a call: nobody could say what such a call left behind.
    await this.outside.rest()
    this.#store = await this.fixture.reopen()
  }

  async close(): Promise<void> {
    await this.fixture.close?.()
  }
}

function tracked(store: () => BlobStore, outside: Outside): BlobStore {
  return {
    supports: store().supports,
    put: (...args) => outside.track('put', store().put(...args)),
    stat: (...args) => outside.track('stat', store().stat(...args)),
    read: (...args) => outside.track('read', store().read(...args)),
    delete: (...args) => outside.track('delete', store().delete(...args)),
    async *list(space) {
      const ids = store().list(space)[Symbol.asyncIterator]()
      for (;;) {
        const { done, value } = await outside.track('list', ids.next())
        if (done) return
        yield value
      }
    },
    grantPut: (...args) => outside.track('grantPut', store().grantPut(...args)),
    grantGet: (...args) => outside.track('grantGet', store().grantGet(...args)),
  }
}

function withGrants(store: BlobStore): { store: BlobStore; client: BlobClient } {
  const grant = (method: 'PUT' | 'GET', space: SpaceName, id: BlobId): Grant => ({
    method,
    url: `${space}/${id}`,
    headers: {},
    expiresAtMs: NEVER_MS,
  })
  const placeOf = ({ url }: Grant) => url.split('/') as [SpaceName, BlobId]
  return {
    store: {
      ...store,
      supports: { ...store.supports, grants: true },
      grantPut: async (space, { id }) => grant('PUT', space, id),
      grantGet: async (space, id) => grant('GET', space, id),
    },
    client: {
      put: (given, body, options) => store.put(...placeOf(given), body, options),
      get: (given, range, options) => store.read(...placeOf(given), range, options),
    },
  }
}
