import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { ObjectVerifier } from '../src/object-verifier.js'
import { makeClient } from '../src/s3-client.js'
import { S3Objects } from '../src/s3-objects.js'
import type { Fault, Weakness } from '../src/testing/index.js'
import { blobOf, keyOf, type Opened, open, openStore, SPACE } from './fixture.js'

let opened: Opened | undefined
afterEach(() => opened?.close())

/** A store that does not compare bodies with what they were signed for: `verifiesOnPut` is false. */
const TAKES_ANYTHING: readonly Weakness[] = ['ignores-payload-hash', 'ignores-checksum']

const FAULTS: readonly Fault[] = [{ kind: 'wrong-bytes' }, { kind: 'short-answer', afterBytes: 1_000 }]

test.each(FAULTS)('one wrong answer ($kind) takes nothing from the store', async (fault) => {
  opened = await open({ weaknesses: TAKES_ANYTHING })
  const { store, double } = opened
  const blob = blobOf(200_000)
  await store.put(SPACE, blob.id, blob.bytes)
  // After a start nothing is known to have been read.
  const again = await openStore(opened)
  try {
    double.faults.add({ fault, method: 'GET' })
    const length = await again.stat(SPACE, blob.id).catch(() => undefined)
    expect(length).toBeUndefined()
    expect(double.keys()).toEqual([keyOf(blob.id)])
    expect(await again.stat(SPACE, blob.id)).toBe(blob.length)
  } finally {
    await again.close()
  }
})

test('what was wrong for a moment gets grants that create again', async () => {
  opened = await open({ weaknesses: TAKES_ANYTHING })
  const { store, double } = opened
  const blob = blobOf(1_000)
  const isCreating = async () => (await store.grantPut(SPACE, blob)).headers['if-none-match'] === '*'
  await store.put(SPACE, blob.id, blob.bytes)
  double.faults.add({ fault: { kind: 'wrong-bytes' }, method: 'GET' })
  expect(await store.stat(SPACE, blob.id)).toBeUndefined()
  expect(await isCreating()).toBe(true)
  expect(double.keys()).toEqual([keyOf(blob.id)])
  expect(await store.stat(SPACE, blob.id)).toBe(1_000)
  expect(await isCreating()).toBe(true)
})

test('what is wrong twice goes before a grant, and no grant brings wrong bytes over right ones', async () => {
  opened = await open({ weaknesses: TAKES_ANYTHING })
  const { store, double, client } = opened
  const [right, wrong] = [blobOf(1_000), blobOf(1_000)]
  await client.put(await store.grantPut(SPACE, right), wrong.bytes, {})
  expect(await store.stat(SPACE, right.id)).toBeUndefined()
  const grant = await store.grantPut(SPACE, right)
  expect(double.keys()).toEqual([])
  await client.put(await store.grantPut(SPACE, right), right.bytes, {})
  await client.put(grant, wrong.bytes, {}).catch(() => undefined)
  expect(await store.stat(SPACE, right.id)).toBe(1_000)
})

test('what is put in the place of wrong bytes is not taken for them by one more wrong answer', async () => {
  opened = await open({ weaknesses: TAKES_ANYTHING })
  const { store, double, client } = opened
  const [right, wrong] = [blobOf(1_000), blobOf(1_000)]
  await client.put(await store.grantPut(SPACE, right), wrong.bytes, {})
  expect(await store.stat(SPACE, right.id)).toBeUndefined()
  const putting = store.put(SPACE, right.id, right.bytes)
  await Promise.all([putting, store.grantPut(SPACE, right)])
  expect(double.keys()).toEqual([keyOf(right.id)])
  double.faults.add({ fault: { kind: 'wrong-bytes' }, method: 'GET', times: 1 })
  await store.grantPut(SPACE, right)
  await store.stat(SPACE, right.id)
  await store.grantPut(SPACE, right)
  expect(double.keys()).toEqual([keyOf(right.id)])
  expect(await store.stat(SPACE, right.id)).toBe(1_000)
})

describe('checksums that are not of the whole object', () => {
  const half = 8 << 20
  const blob = blobOf(9 << 20)
  const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest()
  const hashes = [blob.bytes.subarray(0, half), blob.bytes.subarray(half)].map(sha256)
  const composite = sha256(Buffer.concat(hashes)).toString('base64')

  // A copy of a bucket makes objects in parts; not every store says of their checksums that they are composite.
  test.each([
    ['with the number of parts', `${composite}-2`, false],
    ['without it, in a store that verifies', composite, false],
    ['without it, in one that does not', composite, true],
  ])('%s: the object is what it is, and stays', async (_, checksum, readsBack) => {
    const methods: string[] = []
    const server = createServer(({ method }, response) => {
      methods.push(method!)
      const headers = { 'content-length': blob.length, etag: '"x-2"', 'x-amz-checksum-sha256': checksum }
      response.writeHead(200, headers)
      response.end(method === 'GET' ? blob.bytes : undefined)
    })
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    const client = makeClient({
      bucket: 'bucket',
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      attemptsMax: 1,
    })
    try {
      const objects = new S3Objects(client, 'bucket')
      const verifier = new ObjectVerifier(objects, { readsBack })
      const head = await objects.head(keyOf(blob.id))
      expect(await verifier.holds(keyOf(blob.id), blob.id, head!)).toBe(true)
      expect(methods).not.toContain('DELETE')
    } finally {
      client.destroy()
      server.closeAllConnections()
      server.close()
    }
  })
})
