import { describe, expect, test } from 'vitest'
import { bytesToHex } from '../bytes.js'
import { BlobMismatchError, BlobNotFoundError, GrantExpiredError, SyncError } from '../errors.js'
import { type BlobId, parseSpaceName } from '../ids.js'
import { BLOB_BYTES_MAX } from '../limits.js'
import type { BlobClient, BlobStore, BlobStoreSupports, Grant } from '../ports/blob-store.js'

/** What a blob store's test sets up: an empty store. */
export interface BlobStoreFixture {
  readonly store: BlobStore
  /** Moves bytes by the store's grants. Needed when the store declares `grants`. */
  readonly client?: BlobClient
  /** Lets enough time pass, by the store's clock, that every grant given so far is over. */
  expireGrants?(): void | Promise<void>
  /** Ends the store as its process would, and opens it again on what is durable. */
  reopen?(): Promise<BlobStore>
  close?(): Promise<void>
}

const SPACE = parseSpaceName('space')
const OTHER_SPACE = parseSpaceName('other-space')

interface Blob {
  readonly id: BlobId
  readonly bytes: Uint8Array
}

async function makeBlob(length: number, seed = 1): Promise<Blob> {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = (i * 7 + seed * 13 + (i >>> 9)) & 0xff
  const digest = await crypto.subtle.digest('SHA-256', bytes)
  return { id: bytesToHex(new Uint8Array(digest)) as BlobId, bytes }
}

async function listed(store: BlobStore): Promise<BlobId[]> {
  const ids: BlobId[] = []
  for await (const id of store.list(SPACE)) ids.push(id)
  return ids.sort()
}

/**
 * The rules of a `BlobStore` (ports/blob-store.ts) as tests. An adapter's whole test is a setup function
 * and this call.
 *
 * @param supports What the store declares; a rule about something that it does not support is not run.
 */
export function runBlobStoreConformance(
  name: string,
  setup: () => Promise<BlobStoreFixture>,
  supports: BlobStoreSupports = { verifiesOnPut: true, grants: true },
): void {
  const rule = (text: string, body: (fixture: BlobStoreFixture) => Promise<void>) =>
    test(text, async () => {
      const fixture = await setup()
      try {
        await body(fixture)
      } finally {
        await fixture.close?.()
      }
    })

  describe(`blob store ${name}`, () => {
    rule('the store declares what this suite was told', async ({ store }) => {
      expect(store.supports).toEqual(supports)
    })

    rule('what was put is read back, whole and in ranges', async ({ store }) => {
      const { id, bytes } = await makeBlob(100_000)
      await store.put(SPACE, id, bytes)
      expect(await store.stat(SPACE, id)).toBe(bytes.length)
      for (const [offset, length] of [
        [0, 100_000],
        [0, 1],
        [99_999, 1],
        [65_530, 12],
        [500, 0],
        [100_000, 0],
      ] as const) {
        const part = await store.read(SPACE, id, { offset, length })
        expect(bytesToHex(part)).toBe(bytesToHex(bytes.subarray(offset, offset + length)))
      }
    })

    rule('the empty blob is a blob', async ({ store }) => {
      const { id, bytes } = await makeBlob(0)
      await store.put(SPACE, id, bytes)
      expect(await store.stat(SPACE, id)).toBe(0)
      expect((await store.read(SPACE, id, { offset: 0, length: 0 })).length).toBe(0)
    })

    rule('a range outside the blob is a RangeError', async ({ store }) => {
      const { id, bytes } = await makeBlob(10)
      await store.put(SPACE, id, bytes)
      for (const range of [
        { offset: 0, length: 11 },
        { offset: 11, length: 0 },
        { offset: -1, length: 1 },
        { offset: 0, length: -1 },
        { offset: 0.5, length: 1 },
      ]) {
        await expect(store.read(SPACE, id, range)).rejects.toBeInstanceOf(RangeError)
      }
    })

    rule('a blob that is not there: no length, BlobNotFoundError, and delete is quiet', async ({ store }) => {
      const { id } = await makeBlob(10)
      expect(await store.stat(SPACE, id)).toBeUndefined()
      await expect(store.read(SPACE, id, { offset: 0, length: 1 })).rejects.toBeInstanceOf(BlobNotFoundError)
      await store.delete(SPACE, id)
    })

    rule('put copies: a buffer used again afterwards changes nothing', async ({ store }) => {
      const { id, bytes } = await makeBlob(1_000)
      const original = bytes.slice()
      await store.put(SPACE, id, bytes)
      bytes.fill(0)
      const stored = await store.read(SPACE, id, { offset: 0, length: 1_000 })
      expect(bytesToHex(stored)).toBe(bytesToHex(original))
    })

    rule('put is idempotent, also while another put of the same blob runs', async ({ store }) => {
      const { id, bytes } = await makeBlob(200_000)
      await Promise.all(Array.from({ length: 8 }, () => store.put(SPACE, id, bytes)))
      await store.put(SPACE, id, bytes)
      expect(await listed(store)).toEqual([id])
      const stored = await store.read(SPACE, id, { offset: 0, length: bytes.length })
      expect(bytesToHex(stored)).toBe(bytesToHex(bytes))
    })

    rule('delete removes one blob and list names the others', async ({ store }) => {
      const [a, b, c] = await Promise.all([makeBlob(10, 1), makeBlob(10, 2), makeBlob(10, 3)])
      for (const blob of [a, b, c]) await store.put(SPACE, blob.id, blob.bytes)
      await store.delete(SPACE, b.id)
      expect(await listed(store)).toEqual([a.id, c.id].sort())
      expect(await store.stat(SPACE, b.id)).toBeUndefined()
      await store.put(SPACE, b.id, b.bytes)
      expect(await store.stat(SPACE, b.id)).toBe(10)
    })

    rule('spaces see nothing of each other', async ({ store }) => {
      const { id, bytes } = await makeBlob(10)
      await store.put(OTHER_SPACE, id, bytes)
      expect(await store.stat(SPACE, id)).toBeUndefined()
      expect(await listed(store)).toEqual([])
      await expect(store.read(SPACE, id, { offset: 0, length: 1 })).rejects.toBeInstanceOf(BlobNotFoundError)
    })

    rule('what was put or deleted before the store is opened again stays so', async ({ store, reopen }) => {
      const [kept, gone] = await Promise.all([makeBlob(70_000, 1), makeBlob(10, 2)])
      for (const { id, bytes } of [kept, gone]) await store.put(SPACE, id, bytes)
      await store.delete(SPACE, gone.id)
      const again = (await reopen?.()) ?? store
      expect(await listed(again)).toEqual([kept.id])
      const stored = await again.read(SPACE, kept.id, { offset: 0, length: 70_000 })
      expect(bytesToHex(stored)).toBe(bytesToHex(kept.bytes))
    })

    if (supports.verifiesOnPut) {
      rule('wrong bytes are refused and nothing is stored', async ({ store }) => {
        const { id, bytes } = await makeBlob(1_000)
        for (const wrong of [bytes.map((byte, i) => (i === 999 ? byte ^ 1 : byte)), bytes.subarray(1)]) {
          await expect(store.put(SPACE, id, wrong)).rejects.toBeInstanceOf(BlobMismatchError)
        }
        expect(await store.stat(SPACE, id)).toBeUndefined()
        expect(await listed(store)).toEqual([])
      })

      rule('wrong bytes for a stored blob leave it as it is', async ({ store }) => {
        const { id, bytes } = await makeBlob(1_000)
        await store.put(SPACE, id, bytes)
        await expect(store.put(SPACE, id, new Uint8Array(1_000))).rejects.toBeInstanceOf(BlobMismatchError)
        const stored = await store.read(SPACE, id, { offset: 0, length: 1_000 })
        expect(bytesToHex(stored)).toBe(bytesToHex(bytes))
      })
    }

    rule('an aborted call is rejected and stores nothing', async ({ store }) => {
      const { id, bytes } = await makeBlob(1_000)
      const signal = AbortSignal.abort()
      await expect(store.put(SPACE, id, bytes, { signal })).rejects.toThrow()
      expect(await store.stat(SPACE, id)).toBeUndefined()
      await store.put(SPACE, id, bytes)
      await expect(store.read(SPACE, id, { offset: 0, length: 1 }, { signal })).rejects.toThrow()
    })

    if (supports.grants) grantRules(rule)
  })
}

type Rule = (text: string, body: (fixture: BlobStoreFixture) => Promise<void>) => void

function mustClient({ client }: BlobStoreFixture): BlobClient {
  if (client === undefined) throw new TypeError('the fixture of a store with grants has a client')
  return client
}

/** What a client could change in a grant's URL. */
function tampered({ url }: Grant, id: BlobId, otherId: BlobId): string[] {
  const last = url.slice(-1)
  const otherLast = url.slice(0, -1) + (last === '0' ? '1' : '0')
  return url.includes(id) ? [otherLast, url.replace(id, otherId)] : [otherLast]
}

function grantRules(rule: Rule): void {
  rule('a granted put stores the blob, a granted get reads its ranges', async (fixture) => {
    const { store } = fixture
    const client = mustClient(fixture)
    const { id, bytes } = await makeBlob(100_000)
    const put = await store.grantPut(SPACE, { id, length: bytes.length })
    expect(put.method).toBe('PUT')
    await client.put(put, bytes, {})
    expect(await store.stat(SPACE, id)).toBe(bytes.length)
    const get = await store.grantGet(SPACE, id)
    expect(get.method).toBe('GET')
    for (const [offset, length] of [
      [0, 100_000],
      [70_000, 10],
      [99_999, 1],
    ] as const) {
      const part = await client.get(get, { offset, length }, {})
      expect(bytesToHex(part)).toBe(bytesToHex(bytes.subarray(offset, offset + length)))
    }
  })

  rule('a granted put may be sent again', async (fixture) => {
    const client = mustClient(fixture)
    const { id, bytes } = await makeBlob(5_000)
    const grant = await fixture.store.grantPut(SPACE, { id, length: bytes.length })
    await Promise.all([client.put(grant, bytes, {}), client.put(grant, bytes, {})])
    await client.put(grant, bytes, {})
    expect(await fixture.store.stat(SPACE, id)).toBe(5_000)
  })

  rule(
    'a granted put of other bytes, or of another length, is refused and stores nothing',
    async (fixture) => {
      const { store } = fixture
      const client = mustClient(fixture)
      const { id, bytes } = await makeBlob(1_000)
      const grant = await store.grantPut(SPACE, { id, length: bytes.length })
      const flipped = bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte))
      await expect(client.put(grant, flipped, {})).rejects.toBeInstanceOf(BlobMismatchError)
      for (const wrong of [bytes.subarray(1), new Uint8Array(1_001), new Uint8Array()]) {
        await expect(client.put(grant, wrong, {})).rejects.toBeInstanceOf(SyncError)
      }
      const shorter = await store.grantPut(SPACE, { id, length: 999 })
      await expect(client.put(shorter, bytes, {})).rejects.toBeInstanceOf(SyncError)
      expect(await store.stat(SPACE, id)).toBeUndefined()
      expect(await listed(store)).toEqual([])
    },
  )

  rule('a grant with a changed URL is refused', async (fixture) => {
    const { store } = fixture
    const client = mustClient(fixture)
    const [blob, other] = await Promise.all([makeBlob(1_000, 1), makeBlob(1_000, 2)])
    const put = await store.grantPut(SPACE, { id: blob.id, length: 1_000 })
    for (const url of tampered(put, blob.id, other.id)) {
      for (const { bytes } of [blob, other]) {
        await expect(client.put({ ...put, url }, bytes, {})).rejects.toBeInstanceOf(SyncError)
      }
    }
    expect(await listed(store)).toEqual([])
    await store.put(SPACE, blob.id, blob.bytes)
    await store.put(SPACE, other.id, other.bytes)
    const get = await store.grantGet(SPACE, blob.id)
    for (const url of tampered(get, blob.id, other.id)) {
      await expect(client.get({ ...get, url }, { offset: 0, length: 1 }, {})).rejects.toBeInstanceOf(
        SyncError,
      )
    }
  })

  rule('a grant to read allows no put', async (fixture) => {
    const { store } = fixture
    const { id, bytes } = await makeBlob(10)
    const get = await store.grantGet(SPACE, id)
    await expect(mustClient(fixture).put({ ...get, method: 'PUT' }, bytes, {})).rejects.toBeInstanceOf(
      SyncError,
    )
    expect(await store.stat(SPACE, id)).toBeUndefined()
  })

  rule('a grant that is over is refused with GrantExpiredError', async (fixture) => {
    const { store } = fixture
    const client = mustClient(fixture)
    const { id, bytes } = await makeBlob(10)
    const [put, get] = [await store.grantPut(SPACE, { id, length: 10 }), await store.grantGet(SPACE, id)]
    if (fixture.expireGrants === undefined)
      throw new TypeError('the fixture of a store with grants can end them')
    await fixture.expireGrants()
    await expect(client.put(put, bytes, {})).rejects.toBeInstanceOf(GrantExpiredError)
    expect(await store.stat(SPACE, id)).toBeUndefined()
    await store.put(SPACE, id, bytes)
    await expect(client.get(get, { offset: 0, length: 1 }, {})).rejects.toBeInstanceOf(GrantExpiredError)
  })

  rule('a granted get of a blob that is not there is BlobNotFoundError', async (fixture) => {
    const { id } = await makeBlob(10)
    const get = await fixture.store.grantGet(SPACE, id)
    const read = mustClient(fixture).get(get, { offset: 0, length: 1 }, {})
    await expect(read).rejects.toBeInstanceOf(BlobNotFoundError)
  })

  rule('no grant is given for a length out of bounds', async ({ store }) => {
    const { id } = await makeBlob(10)
    for (const length of [-1, 0.5, BLOB_BYTES_MAX + 1]) {
      await expect(store.grantPut(SPACE, { id, length })).rejects.toBeInstanceOf(RangeError)
    }
  })
}
