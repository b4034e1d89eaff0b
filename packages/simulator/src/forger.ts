import {
  type BlobClient,
  type BlobStore,
  bytesToHex,
  equalBytes,
  GRANT_TTL_MS,
  type Grant,
  parseBlobId,
  parseSpaceName,
} from '@tidemark/protocol'
import { hasher } from './hasher.js'
import type { SimRandom } from './random.js'
import type { VirtualTime } from './virtual-time.js'

const SPACE = parseSpaceName('forged')
const BYTES_MAX = 100
const TOO_LONG_BYTES = 2 ** 31

/**
 * Somebody at the blob store, with grants of their own and with such as they would like to have. The store refuses
 * what was not granted, each time with the error that says why, and holds nothing but what was named by its hash.
 */
export async function forge(
  store: BlobStore,
  client: BlobClient,
  time: VirtualTime,
  random: SimRandom,
  complain: (complaint: string) => void,
): Promise<void> {
  const bytes = random.bytes(1 + random.below(BYTES_MAX))
  const id = parseBlobId(bytesToHex(hasher.sha256(bytes)))
  const { length } = bytes
  const { signal } = new AbortController()
  const put = (grant: Grant, body: Uint8Array): Promise<void> => client.put(grant, body, { signal })
  const get = (grant: Grant, offset = 0, count = length): Promise<Uint8Array> =>
    client.get(grant, { offset, length: count }, { signal })
  const mustFail = async (what: string, name: string, attempt: () => Promise<unknown>): Promise<void> => {
    const error = await attempt().then(
      () => undefined,
      (reason: Error) => reason,
    )
    if (error?.name !== name) complain(`a forger: ${what}: ${error?.name ?? 'done'} instead of ${name}`)
  }
  const mayPut = await store.grantPut(SPACE, { id, length })
  const mayGet = await store.grantGet(SPACE, id)
  const isThere = (await store.stat(SPACE, id)) !== undefined
  if (!isThere) await mustFail('read what is not there', 'BlobNotFoundError', () => get(mayGet))
  await mustFail('a grant for too much', 'RangeError', () =>
    store.grantPut(SPACE, { id, length: TOO_LONG_BYTES }),
  )
  await mustFail('more bytes', 'BlobMismatchError', () => put(mayPut, Uint8Array.from([...bytes, 0])))
  await mustFail('other bytes', 'BlobMismatchError', () =>
    put(
      mayPut,
      bytes.map((byte) => byte ^ 1),
    ),
  )
  await mustFail('no such grant', 'StoreError', () => put({ ...mayPut, url: `${mayPut.url}0` }, bytes))
  await mustFail('a grant to read', 'StoreError', () => put({ ...mayGet, method: 'PUT' }, bytes))
  await mustFail('without its header', 'StoreError', () => put({ ...mayPut, headers: {} }, bytes))
  const late = AbortSignal.abort(new TypeError('given up'))
  await mustFail('given up', 'TypeError', () => client.put(mayPut, bytes, { signal: late }))
  if ((await store.stat(SPACE, id)) !== undefined && !isThere) complain('a forger: something was stored')
  await put(mayPut, bytes)
  await mustFail('behind the end', 'RangeError', () => get(mayGet, 1))
  await mustFail('before the start', 'RangeError', () => get(mayGet, -1))
  const back = await get(mayGet).catch(() => new Uint8Array())
  if (!equalBytes(back, bytes)) complain('a forger: other bytes came back')
  const { jumps } = time
  time.after(GRANT_TTL_MS, () => {
    // Somebody may have set the clock: what was over for long then is forgotten, and back it is not over.
    if (time.jumps !== jumps) return
    void mustFail('a grant that is over', 'GrantExpiredError', () => put(mayPut, bytes))
  })
}
