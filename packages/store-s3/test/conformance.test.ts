import { GRANT_TTL_MS } from '@tidemark/protocol'
import { open, openStore } from './fixture.js'
import { runStoreSuite } from './store-suite.js'

runStoreSuite('s3, on the double', 's3', async () => {
  // The SDK sees by the first answer that its clock is wrong, and sends again.
  const opened = await open({}, { attemptsMax: 3 })
  const { store, client, clock, close } = opened
  let again: typeof store | undefined
  return {
    store,
    client,
    expireGrants: () => clock.advance(GRANT_TTL_MS),
    reopen: async () => {
      again = await openStore(opened)
      return again
    },
    close: async () => {
      await again?.close()
      await close()
    },
  }
})
