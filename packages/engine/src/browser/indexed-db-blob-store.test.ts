import 'fake-indexeddb/auto'
import { runBlobStoreConformance } from '@tidemark/protocol/conformance'
import { pageLocks } from '../../test/page-locks.js'
import { nodeHasher } from '../node/node-hasher.js'
import { openIndexedDbBlobStore } from './indexed-db-blob-store.js'

let names = 0

runBlobStoreConformance(
  'IndexedDB',
  async () => {
    const name = `test-${++names}`
    const options = { hasher: nodeHasher, locks: pageLocks() }
    let store = await openIndexedDbBlobStore(name, options)
    return {
      store,
      reopen: async () => {
        await store.close()
        store = await openIndexedDbBlobStore(name, options)
        return store
      },
      close: () => store.close(),
    }
  },
  { verifiesOnPut: true, grants: false },
)
