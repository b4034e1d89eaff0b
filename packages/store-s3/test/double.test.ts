import { createHash } from 'node:crypto'
import { request } from 'node:http'
import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sendByGrant } from '../src/grant-request.js'
import { GrantSigner } from '../src/grant-signer.js'
import { S3Double } from '../src/testing/index.js'
import { type Blob, blobOf, type Served, serve } from './fixture.js'

const CORS = [
  {
    AllowedOrigins: ['https://*.example'],
    AllowedMethods: ['GET', 'PUT'],
    AllowedHeaders: ['x-amz-*', 'if-none-match', 'range'],
    ExposeHeaders: ['ETag', 'x-amz-checksum-sha256'],
    MaxAgeSeconds: 600,
  },
]

let served: Served
let s3: S3Client
let signer: GrantSigner
beforeEach(async () => {
  served = await serve({ cors: CORS })
  s3 = clientOf({})
  signer = new GrantSigner(s3, new URL(`${served.double.endpoint}/bucket`))
})
afterEach(async () => {
  s3.destroy()
  await served.close()
})

function clientOf(options: Partial<ConstructorParameters<typeof S3Client>[0]>): S3Client {
  const { endpoint, credentials } = served.double
  return new S3Client({
    endpoint,
    credentials,
    region: 'us-east-1',
    forcePathStyle: true,
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    ...options,
  })
}

const base64 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('base64')

const put = (key: string, bytes: Uint8Array, more: object = {}) =>
  s3.send(
    new PutObjectCommand({ Bucket: 'bucket', Key: key, Body: bytes, ContentLength: bytes.length, ...more }),
  )

async function grantOf(blob: Blob) {
  const terms = { id: blob.id, length: blob.length, bind: 'dual', createOnly: false } as const
  return signer.put('00/a/b', terms, { nowMs: Date.now(), ttlMs: 60_000 })
}

const send = (grant: Awaited<ReturnType<typeof grantOf>>, body?: Uint8Array<ArrayBuffer>, headers = {}) =>
  sendByGrant(grant, { body, headers, timeoutMs: 10_000 })

describe('the double takes what S3 takes', () => {
  test('keys with odd characters, ranges, checksums on request, conditions', async () => {
    const { bytes } = blobOf(1_000)
    const key = "a b/ü+&=%/'(x)*~.txt"
    await put(key, bytes, { ChecksumSHA256: base64(bytes), IfNoneMatch: '*' })
    const at = { Bucket: 'bucket', Key: key }
    const plain = await s3.send(new HeadObjectCommand(at))
    expect([plain.ContentLength, plain.ChecksumSHA256]).toEqual([1_000, undefined])
    expect(await s3.send(new HeadObjectCommand({ ...at, ChecksumMode: 'ENABLED' }))).toMatchObject({
      ChecksumSHA256: base64(bytes),
      ChecksumType: 'FULL_OBJECT',
    })
    const suffix = await s3.send(new GetObjectCommand({ ...at, Range: 'bytes=-10' }))
    expect(Buffer.from(await suffix.Body!.transformToByteArray())).toEqual(bytes.subarray(990))
    expect(suffix.ContentRange).toBe('bytes 990-999/1000')
    await expect(s3.send(new GetObjectCommand({ ...at, Range: 'bytes=1000-' }))).rejects.toMatchObject({
      name: 'InvalidRange',
    })
    await expect(put(key, bytes, { IfNoneMatch: '*' })).rejects.toMatchObject({ name: 'PreconditionFailed' })
    await expect(s3.send(new GetObjectCommand({ ...at, Key: 'no' }))).rejects.toMatchObject({
      name: 'NoSuchKey',
    })
  })

  test('a listing is cut in pages, ascending', async () => {
    const keys = Array.from({ length: 25 }, (_, i) => `p/${String(i).padStart(2, '0')}`)
    await Promise.all([...keys, 'o', 'q'].map((key) => put(key, new Uint8Array(1))))
    const found: string[] = []
    let ContinuationToken: string | undefined
    do {
      const page = await s3.send(
        new ListObjectsV2Command({ Bucket: 'bucket', Prefix: 'p/', MaxKeys: 10, ContinuationToken }),
      )
      expect(page.KeyCount).toBeLessThanOrEqual(10)
      found.push(...page.Contents!.map(({ Key }) => Key!))
      ContinuationToken = page.NextContinuationToken
    } while (ContinuationToken)
    expect(found).toEqual(keys)
  })

  test('of many that create one key, one does', async () => {
    const bodies = Array.from({ length: 10 }, () => blobOf(100_000).bytes)
    const results = await Promise.allSettled(bodies.map((bytes) => put('k', bytes, { IfNoneMatch: '*' })))
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  test('a browser is let in by its origin, method and headers', async () => {
    const url = `${served.double.endpoint}/bucket/k`
    const ask = (origin: string, method: string, headers: string) =>
      fetch(url, {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': method,
          'access-control-request-headers': headers,
        },
      })
    const allowed = await ask('https://app.example', 'PUT', 'x-amz-checksum-sha256, if-none-match')
    expect(allowed.status).toBe(200)
    expect(allowed.headers.get('access-control-allow-headers')).toBe('x-amz-checksum-sha256, if-none-match')
    expect((await ask('https://app.other', 'PUT', '')).status).toBe(403)
    expect((await ask('https://app.example', 'DELETE', '')).status).toBe(403)
    expect((await ask('https://app.example', 'PUT', 'x-other')).status).toBe(403)
    const blob = blobOf(10)
    const grant = await grantOf(blob)
    const answer = await fetch(grant.url, {
      method: 'PUT',
      headers: { ...grant.headers, origin: 'https://app.example' },
      body: blob.bytes,
    })
    expect(answer.headers.get('access-control-expose-headers')).toBe('ETag, x-amz-checksum-sha256')
  })
})

describe('the double refuses what S3 refuses', () => {
  test('another secret, key, region, and a clock that is wrong', async () => {
    const { accessKeyId, secretAccessKey } = served.double.credentials
    for (const [options, name] of [
      [{ credentials: { accessKeyId, secretAccessKey: 'x' } }, 'SignatureDoesNotMatch'],
      [{ credentials: { accessKeyId: 'x', secretAccessKey } }, 'InvalidAccessKeyId'],
      [{ region: 'eu-west-1' }, 'AuthorizationHeaderMalformed'],
    ] as const) {
      const client = clientOf(options)
      await expect(client.send(new ListObjectsV2Command({ Bucket: 'bucket' }))).rejects.toMatchObject({
        name,
      })
      client.destroy()
    }
    served.clock.advance(16 * 60_000)
    await expect(put('k', new Uint8Array(1))).rejects.toMatchObject({ name: 'RequestTimeTooSkewed' })
    expect(await fetch(`${served.double.endpoint}/bucket/k`)).toMatchObject({ status: 403 })
  })

  test('bodies that are not what a header says, and headers that it does not know', async () => {
    const { bytes } = blobOf(10)
    for (const [more, name] of [
      [{ ChecksumSHA256: base64(Buffer.from('other')) }, 'BadDigest'],
      [{ ContentMD5: createHash('md5').update('other').digest('base64') }, 'BadDigest'],
      [{ ChecksumCRC32: 'AAAAAA==' }, 'NotImplemented'],
      [{ IfNoneMatch: '"etag"' }, 'NotImplemented'],
    ] as const) {
      await expect(put('k', bytes, more), name).rejects.toMatchObject({ name })
    }
    expect(served.double.keys()).toEqual([])
  })

  test('grants that were changed, with what S3 says', async () => {
    const blob = blobOf(1_000)
    const grant = await grantOf(blob)
    const change = (url: string, headers = grant.headers) => send({ ...grant, url, headers }, blob.bytes)
    const flipped = Uint8Array.from(blob.bytes, (byte, i) => (i === 0 ? byte ^ 1 : byte))
    expect((await send(grant, flipped)).text).toBe('400 XAmzContentSHA256Mismatch')
    expect((await send(grant, blob.bytes.subarray(1))).text).toBe('403 SignatureDoesNotMatch')
    expect((await change(grant.url.replace('/00/a/b', '/00/a/c'))).text).toBe('403 SignatureDoesNotMatch')
    expect((await change(`${grant.url}&x-id=PutObject`)).text).toBe('403 SignatureDoesNotMatch')
    expect((await change(grant.url.replace(/&X-Amz-Date=[^&]*/, ''))).text).toMatch(/^400 /)
    expect((await change(grant.url, { ...grant.headers, 'x-amz-acl': 'public-read' })).text).toBe(
      '403 AccessDenied',
    )
    served.clock.advance(60_000)
    expect((await send(grant, blob.bytes)).text).toBe('403 AccessDenied')
    expect(served.double.keys()).toEqual([])
  })

  test('a body without a length', async () => {
    const grant = await grantOf(blobOf(10))
    const status = await new Promise((resolve) => {
      const { pathname, search, port } = new URL(grant.url)
      const sent = request(
        {
          port,
          path: pathname + search,
          method: 'PUT',
          headers: { ...grant.headers, 'transfer-encoding': 'chunked' },
        },
        (response) => resolve(response.resume().statusCode),
      )
      sent.end('0123456789')
    })
    expect(status).toBe(403)
  })
})

test('the double keeps its objects when it is started again', async () => {
  await put('k', Buffer.from('kept'))
  served.double.rot('k')
  await served.double.close()
  const again = await S3Double.start({ directory: served.directory })
  const client = clientOf({ endpoint: again.endpoint })
  const { Body } = await client.send(new GetObjectCommand({ Bucket: 'bucket', Key: 'k' }))
  expect(await Body!.transformToString()).toBe('jept')
  client.destroy()
  await again.close()
})
