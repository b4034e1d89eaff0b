import { browserPlatform, openIndexedDbBlobStore, openIndexedDbStore } from '@tidemark/engine/browser'
import { runKeyValueStoreConformance } from '@tidemark/engine/testing'
import { runBlobStoreConformance } from '@tidemark/protocol/conformance'
import { report } from './ask.js'
import { runAll } from './suite.js'

/** The suites of both ports on the browser's own IndexedDB and locks. */
let names = 0

runKeyValueStoreConformance('IndexedDB', async () => ({ store: await openIndexedDbStore(`rows-${++names}`) }))

runBlobStoreConformance(
  'IndexedDB',
  async () => {
    const name = `blobs-${++names}`
    const { hasher } = await browserPlatform()
    let store = await openIndexedDbBlobStore(name, { hasher })
    return {
      store,
      reopen: async () => {
        await store.close()
        store = await openIndexedDbBlobStore(name, { hasher })
        return store
      },
      close: () => store.close(),
    }
  },
  { verifiesOnPut: true, grants: false },
)

report(async () => {
  const startedMs = performance.now()
  const rules = await runAll()
  const locked = await openIndexedDbStore('twice').then(async (store) => {
    const code = await openIndexedDbStore('twice').catch((error: { code: string }) => error.code)
    await store.close()
    return code
  })
  return { rules, locked, ms: Math.round(performance.now() - startedMs) }
})
