import { BlobMismatchError, SyncError } from '@tidemark/protocol'
import { type BlobStoreFixture, runBlobStoreConformance } from '@tidemark/protocol/conformance'
import { describe, expect, test } from 'vitest'
import type { Bind, S3BlobStore } from '../src/index.js'
import { blobOf, SPACE } from './fixture.js'
import { KNOWN_SERVERS } from './known-servers.js'

export interface S3Fixture extends BlobStoreFixture {
  readonly store: S3BlobStore
  readonly client: NonNullable<BlobStoreFixture['client']>
}

/**
 * What holds on every server that a store may stand on: the rules of all blob stores, and those of grants
 * whose bytes never pass through us.
 * @param kind One of KNOWN_SERVERS: how this one differs.
 */
export function runStoreSuite(name: string, kind: string, setup: () => Promise<S3Fixture>): void {
  const known = KNOWN_SERVERS[kind]
  if (!known) throw new TypeError(`no such kind: ${kind}; there are ${Object.keys(KNOWN_SERVERS).join(', ')}`)
  runBlobStoreConformance(name, setup)
  const rule = (text: string, body: (fixture: S3Fixture) => Promise<void>) =>
    test(text, async () => {
      const fixture = await setup()
      try {
        await body(fixture)
      } finally {
        await fixture.close?.()
      }
    })

  describe(`grants of the store ${name}`, () => {
    rule(`the self-test finds what is known of ${kind}`, async ({ store }) => {
      const lacking = store.report.checks.filter(({ holds }) => !holds).map(({ check }) => check)
      expect(lacking.sort()).toEqual([...known.lacks].sort())
      expect(store.report).toMatchObject({ bind: known.bind, verifiesOnPut: true, createsOnlyOnce: true })
      expect(store.report.checks.map(({ check }) => check).sort()).toEqual(CHECKS)
    })

    rule('one flipped bit anywhere is refused by the store itself', async ({ store, client }) => {
      const blob = blobOf(300_000)
      const grant = await store.grantPut(SPACE, blob)
      for (const at of [0, 65_536, 299_999]) {
        const flipped = Buffer.from(blob.bytes)
        flipped[at]! ^= 0x10
        await expect(client.put(grant, flipped, {})).rejects.toBeInstanceOf(BlobMismatchError)
      }
      expect(await store.stat(SPACE, blob.id)).toBeUndefined()
    })

    rule('a URL sent again stores nothing new, with right bytes or wrong ones', async ({ store, client }) => {
      const blob = blobOf(1_000)
      const grant = await store.grantPut(SPACE, blob)
      await client.put(grant, blob.bytes, {})
      await client.put(grant, blob.bytes, {})
      const wrong = Buffer.alloc(blob.length)
      // That it is there may be said before the body is looked at.
      await client.put(grant, wrong, {}).catch((error) => expect(error).toBeInstanceOf(SyncError))
      const bytes = await store.read(SPACE, blob.id, { offset: 0, length: blob.length })
      expect(Buffer.compare(bytes, blob.bytes)).toBe(0)
    })

    rule('headers of a grant cannot be left out or changed', async ({ store, client }) => {
      const blob = blobOf(1_000)
      const grant = await store.grantPut(SPACE, blob)
      const names = Object.keys(grant.headers).sort()
      expect(names).toEqual(HEADERS[known.bind])
      for (const name of names) {
        const { [name]: _, ...rest } = grant.headers
        for (const headers of [rest, { ...rest, [name]: 'x' }]) {
          await expect(client.put({ ...grant, headers }, blob.bytes, {})).rejects.toBeInstanceOf(SyncError)
        }
      }
      expect(await store.stat(SPACE, blob.id)).toBeUndefined()
    })

    rule('the largest blob goes up, and comes back in ranges', async ({ store, client }) => {
      const blob = blobOf(17 * 1024 * 1024)
      await client.put(await store.grantPut(SPACE, blob), blob.bytes, {})
      const get = await store.grantGet(SPACE, blob.id)
      for (const [offset, length] of [
        [0, 1],
        [blob.length - 2_097_152, 2_097_152],
      ] as const) {
        const part = await client.get(get, { offset, length }, {})
        expect(Buffer.compare(part, blob.bytes.subarray(offset, offset + length))).toBe(0)
      }
    })

    rule('blobs are listed in the order of their ids', async ({ store }) => {
      const blobs = Array.from({ length: 40 }, () => blobOf(10))
      await Promise.all(blobs.map(({ id, bytes }) => store.put(SPACE, id, bytes)))
      const listed: string[] = []
      for await (const id of store.list(SPACE)) listed.push(id)
      expect(listed).toEqual(blobs.map(({ id }) => id).sort())
    })
  })
}

const HEADERS: Readonly<Record<Bind, readonly string[]>> = {
  dual: ['if-none-match', 'x-amz-checksum-sha256', 'x-amz-content-sha256'],
  checksum: ['if-none-match', 'x-amz-checksum-sha256'],
  'payload-hash': ['if-none-match', 'x-amz-content-sha256'],
}

const CHECKS = [
  'creates-only-once',
  'deletes',
  'lists-after-put',
  'reads-ranges',
  'refuses-changed-grants',
  'refuses-expired-grants',
  'refuses-unsigned-headers',
  'refuses-wrong-bytes',
  'refuses-wrong-length',
  'stores-what-was-granted',
  'tells-checksums',
]
