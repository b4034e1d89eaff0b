import { S3Client } from '@aws-sdk/client-s3'
import { SignatureV4 } from '@smithy/signature-v4'
import { expect, test } from 'vitest'
import { GrantSigner } from '../src/grant-signer.js'
import { mustBeBound } from '../src/must-be-bound.js'
import { blobOf } from './fixture.js'

const HASH = 'x-amz-content-sha256'
const CHECKSUM = 'x-amz-checksum-sha256'

const client = new S3Client({
  region: 'us-east-1',
  credentials: { accessKeyId: 'key', secretAccessKey: 'secret' },
})

/** As the signer signs, with or without what keeps headers out of the query. */
async function sign(unhoistable: readonly string[]): Promise<string> {
  const { sha256, credentials } = client.config
  const signature = new SignatureV4({ service: 's3', region: 'us-east-1', credentials, sha256 })
  const signed = await signature.presign(
    {
      method: 'PUT',
      protocol: 'https:',
      hostname: 'store.example',
      path: '/bucket/key',
      query: {},
      headers: { host: 'store.example', 'content-length': '5', [HASH]: 'a'.repeat(64), [CHECKSUM]: 'b' },
    },
    { unhoistableHeaders: new Set(unhoistable) },
  )
  return `https://store.example/?${new URLSearchParams(signed.query as Record<string, string>)}`
}

test('headers that stay headers are bound', async () => {
  expect(() => mustBeBound('https://store.example/?X-Amz-SignedHeaders=host', ['content-length'])).toThrow(
    'content-length is not bound',
  )
  mustBeBound(await sign([HASH, CHECKSUM]), ['content-length', HASH, CHECKSUM])
})

test('a signing library that moves the checksum or the hash to the query is noticed', async () => {
  await expect(sign([HASH]).then((url) => mustBeBound(url, [CHECKSUM]))).rejects.toThrow(`${CHECKSUM} is not`)
  await expect(sign([HASH]).then((url) => mustBeBound(url, [HASH]))).rejects.toThrow('stands in the query')
  await expect(sign([CHECKSUM]).then((url) => mustBeBound(url, [HASH]))).rejects.toThrow(`${HASH} is not`)
})

test.each(['dual', 'payload-hash', 'checksum'] as const)(
  'a grant bound by %s keeps its headers',
  async (bind) => {
    const signer = new GrantSigner(client, new URL('https://bucket.store.example'))
    const blob = blobOf(5)
    const moment = { nowMs: 1_800_000_000_999, ttlMs: 60_000 }
    const grant = await signer.put('00/x/y', { id: blob.id, length: 5, bind, createOnly: true }, moment)
    const { searchParams, pathname, host } = new URL(grant.url)
    expect([host, pathname]).toEqual(['bucket.store.example', '/00/x/y'])
    const signed = searchParams.get('X-Amz-SignedHeaders')!.split(';')
    expect(signed).toEqual(['content-length', 'host', ...Object.keys(grant.headers)].sort())
    expect(grant.expiresAtMs).toBe(1_800_000_060_000)
    expect(searchParams.get('X-Amz-Expires')).toBe('60')
    expect(grant.headers[HASH]).toBe(bind === 'checksum' ? undefined : blob.id)
    expect(CHECKSUM in grant.headers).toBe(bind !== 'payload-hash')
  },
)

test('at AWS a grant names the host of the bucket', async () => {
  const { publicBucketUrl } = await import('../src/s3-client.js')
  const url = await publicBucketUrl(client, { bucket: 'some-bucket' })
  expect(url.href).toBe('https://some-bucket.s3.us-east-1.amazonaws.com/')
  const grant = await new GrantSigner(client, url).get('00/x/y', { nowMs: 0, ttlMs: 1_000 })
  expect(grant.url).toMatch(/^https:\/\/some-bucket\.s3\.us-east-1\.amazonaws\.com\/00\/x\/y\?/)
})
