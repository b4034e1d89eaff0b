import {
  type BlobClient,
  BlobMismatchError,
  BlobNotFoundError,
  GRANT_TTL_MS,
  GrantExpiredError,
  StoreError,
} from '@tidemark/protocol'
import { runBlobStoreConformance } from '@tidemark/protocol/conformance'
import { send, serve } from './http-fixture.js'

/** Grants carried out over real HTTP. */
function httpClient(base: string): BlobClient {
  const checked = async (grant: { url: string }, ...rest: [Parameters<typeof send>[2]]) => {
    const answer = await send(base, grant.url, ...rest)
    if (answer.status < 300) return answer.body
    const { code, message } = JSON.parse(answer.body.toString()) as { code: string; message: string }
    const blob = /[0-9a-f]{64}/.exec(grant.url)?.[0] ?? ''
    if (code === 'GRANT_EXPIRED') throw new GrantExpiredError(message)
    if (code === 'BLOB_MISMATCH') throw new BlobMismatchError(blob)
    if (code === 'BLOB_NOT_FOUND') throw new BlobNotFoundError(blob)
    throw new StoreError(message, answer.status)
  }
  return {
    put: async (grant, body) => {
      await checked(grant, { method: 'PUT', headers: { ...grant.headers }, body })
    },
    get: (grant, { offset, length }) => {
      const range = `bytes=${offset}-${offset + length - 1}`
      return checked(grant, { method: 'GET', headers: { ...grant.headers, range } })
    },
  }
}

runBlobStoreConformance('fs, over HTTP', async () => {
  let nowMs = 1_800_000_000_000
  const served = await serve({ clock: { nowMs: () => nowMs } })
  return {
    store: served.store,
    client: httpClient(served.url),
    expireGrants: () => {
      nowMs += GRANT_TTL_MS
    },
    close: served.close,
  }
})
