import { createHash } from 'node:crypto'
import { runBlobStoreConformance, runTransportConformance } from '../src/conformance/index.js'
import { GRANT_TTL_MS } from '../src/index.js'
import { createMemoryTransportPair, MemoryBlobStore } from '../src/memory/index.js'

runTransportConformance('memory', async () => {
  const { transport, listener } = createMemoryTransportPair()
  return { transport, listener, close: () => listener.close() }
})

runTransportConformance('memory with latency', async () => {
  let turn = 0
  const { transport, listener } = createMemoryTransportPair({
    schedule: (task) => setTimeout(task, ++turn % 3),
  })
  return { transport, listener, close: () => listener.close() }
})

runBlobStoreConformance('memory', async () => {
  let now = 1_000_000
  const store = new MemoryBlobStore({
    sha256: (bytes) => createHash('sha256').update(bytes).digest(),
    now: () => now,
  })
  return {
    store,
    client: store.client,
    expireGrants: () => {
      now += GRANT_TTL_MS
    },
  }
})
