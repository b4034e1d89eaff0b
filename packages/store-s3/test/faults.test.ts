import {
  BlobMismatchError,
  BlobNotFoundError,
  GRANT_TTL_MS,
  GrantExpiredError,
  StoreError,
} from '@tidemark/protocol'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Fault } from '../src/testing/index.js'
import { blobOf, keyOf, type Opened, open, openStore, SPACE } from './fixture.js'

let opened: Opened
beforeEach(async () => {
  opened = await open()
})
afterEach(() => opened.close())

const FAILURES: readonly [string, Fault, number | undefined][] = [
  ['500', { kind: 'status', status: 500, code: 'InternalError' }, 500],
  ['503 SlowDown', { kind: 'status', status: 503, code: 'SlowDown' }, 503],
  ['403', { kind: 'status', status: 403, code: 'AccessDenied' }, 403],
  [
    'a connection that ends in the body of the request',
    { kind: 'cut-request', afterBytes: 1_000 },
    undefined,
  ],
  ['a connection that ends instead of the answer', { kind: 'drop-answer' }, undefined],
]

describe('put', () => {
  test.each(FAILURES)('%s is a StoreError, for the hub and for a device', async (_, fault, status) => {
    const { store, client, double } = opened
    const [own, granted] = [blobOf(200_000), blobOf(200_000)]
    const grant = await store.grantPut(SPACE, granted)
    for (const put of [
      () => store.put(SPACE, own.id, own.bytes),
      () => client.put(grant, granted.bytes, {}),
    ]) {
      double.faults.add({ fault, method: 'PUT' })
      const error = await put().catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(StoreError)
      expect((error as StoreError).status).toBe(status)
      expect((error as StoreError).retry).toBe('later')
      // Sent again it is there, once, whether or not the first one had come through.
      await put()
    }
    for (const { id, length } of [own, granted]) expect(await store.stat(SPACE, id)).toBe(length)
    expect(double.keys()).toEqual([own, granted].map(({ id }) => keyOf(id)).sort())
  })

  test('a body that is cut leaves nothing', async () => {
    const { store, client, double } = opened
    const blob = blobOf(200_000)
    double.faults.add({ fault: { kind: 'cut-request', afterBytes: 150_000 }, method: 'PUT' })
    await expect(client.put(await store.grantPut(SPACE, blob), blob.bytes, {})).rejects.toBeInstanceOf(
      StoreError,
    )
    expect(double.keys()).toEqual([])
  })

  test('bytes that change while they are sent are a mismatch', async () => {
    const { store, double } = opened
    const blob = blobOf(10)
    double.faults.add({ fault: { kind: 'status', status: 400, code: 'BadDigest' } })
    await expect(store.put(SPACE, blob.id, blob.bytes)).rejects.toBeInstanceOf(BlobMismatchError)
  })

  test('409 is another put under way: tried again', async () => {
    const { store, double } = opened
    const blob = blobOf(10)
    double.faults.add({
      fault: { kind: 'status', status: 409, code: 'ConditionalRequestConflict' },
      times: 2,
    })
    await store.put(SPACE, blob.id, blob.bytes)
    expect(await store.stat(SPACE, blob.id)).toBe(10)
  })
})

describe('read', () => {
  test.each([
    ['500', { kind: 'status', status: 500, code: 'InternalError' }, 500],
    ['503 SlowDown', { kind: 'status', status: 503, code: 'SlowDown' }, 503],
    ['a body that is cut', { kind: 'cut-answer', afterBytes: 70_000 }, undefined],
    ['a body that ends early', { kind: 'short-answer', afterBytes: 70_000 }, 206],
  ] as const)('%s is a StoreError, for the hub and for a device', async (_, fault, status) => {
    const { store, client, double } = opened
    const blob = blobOf(200_000)
    await store.put(SPACE, blob.id, blob.bytes)
    const grant = await store.grantGet(SPACE, blob.id)
    const range = { offset: 10, length: 150_000 }
    for (const read of [() => store.read(SPACE, blob.id, range), () => client.get(grant, range, {})]) {
      double.faults.add({ fault, method: 'GET' })
      const error = await read().catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(StoreError)
      expect((error as StoreError).status).toBe(status)
      expect(Buffer.compare(await read(), blob.bytes.subarray(10, 150_010))).toBe(0)
    }
  })

  test('an object that is gone is BlobNotFoundError, and may be put again', async () => {
    const { store, client, double } = opened
    const blob = blobOf(100)
    await store.put(SPACE, blob.id, blob.bytes)
    const grant = await store.grantGet(SPACE, blob.id)
    double.lose(keyOf(blob.id))
    expect(await store.stat(SPACE, blob.id)).toBeUndefined()
    const range = { offset: 0, length: 1 }
    await expect(store.read(SPACE, blob.id, range)).rejects.toBeInstanceOf(BlobNotFoundError)
    await expect(client.get(grant, range, {})).rejects.toBeInstanceOf(BlobNotFoundError)
    await store.put(SPACE, blob.id, blob.bytes)
    expect(await store.stat(SPACE, blob.id)).toBe(100)
  })

  test('wrong bytes come as they are: who reads hashes', async () => {
    const { store, client, double } = opened
    const blob = blobOf(100)
    await store.put(SPACE, blob.id, blob.bytes)
    double.faults.add({ fault: { kind: 'wrong-bytes' }, method: 'GET' })
    const bytes = await client.get(await store.grantGet(SPACE, blob.id), { offset: 0, length: 100 }, {})
    expect(Buffer.compare(bytes, blob.bytes)).not.toBe(0)
  })
})

test('a store that falls silent is given up', async () => {
  const quick = await open({}, { requestTimeoutMs: 300 })
  const blob = blobOf(10)
  for (const ask of [
    () => quick.store.stat(SPACE, blob.id),
    () => quick.store.put(SPACE, blob.id, blob.bytes),
    () => openStore(quick, { requestTimeoutMs: 300 }),
  ]) {
    quick.double.faults.add({ fault: { kind: 'silence' } })
    await expect(ask()).rejects.toBeInstanceOf(StoreError)
  }
  await quick.close()
})

describe('keys and grants', () => {
  test('a store that refuses the keys says what to do', async () => {
    const { store, double } = opened
    double.faults.add({ fault: { kind: 'status', status: 403, code: 'AccessDenied' }, method: 'GET' })
    const read = store.read(SPACE, blobOf(1).id, { offset: 0, length: 1 })
    await expect(read).rejects.toThrow('they may not do this')
  })

  test('a grant is good for GRANT_TTL_MS, to the second, and ends with its keys', async () => {
    const { store, client, clock } = opened
    const blob = blobOf(10)
    const before = clock.nowMs()
    const grant = await store.grantPut(SPACE, blob)
    expect(grant.expiresAtMs).toBeGreaterThan(before - 1_000 + GRANT_TTL_MS)
    expect(grant.expiresAtMs).toBeLessThanOrEqual(clock.nowMs() + GRANT_TTL_MS)
    clock.advance(GRANT_TTL_MS - 5_000)
    await client.put(grant, blob.bytes, {})
    clock.advance(5_000)
    await expect(client.put(grant, blob.bytes, {})).rejects.toBeInstanceOf(GrantExpiredError)
    const expiration = new Date(before + 60_000)
    const keys = { ...opened.double.credentials, expiration, sessionToken: 'temporary+/=keys' }
    const brief = await open({}, { credentials: keys })
    const short = await brief.store.grantPut(SPACE, blob)
    expect(short.expiresAtMs).toBe(expiration.getTime())
    expect(new URL(short.url).searchParams.get('X-Amz-Security-Token')).toBe(keys.sessionToken)
    await brief.client.put(short, blob.bytes, {})
    await brief.close()
  })

  test('the bytes of put are hashed before they go anywhere', async () => {
    const seen: string[] = []
    const own = await open({ onRequest: ({ method }) => seen.push(method) })
    seen.length = 0
    await expect(own.store.put(SPACE, blobOf(5).id, new Uint8Array(5))).rejects.toBeInstanceOf(
      BlobMismatchError,
    )
    expect(seen).toEqual([])
    await own.close()
  })

  test('grants name the public endpoint, requests of the hub the other one', async () => {
    const own = await open({}, { publicEndpoint: 'http://localhost:1/base' }).catch((error: Error) => error)
    // The self-test sends what a client would send.
    expect(String(own)).toContain('no answer from http://localhost:1')
  })
})
