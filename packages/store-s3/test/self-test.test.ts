import { type BlobId, BlobMismatchError, StoreError } from '@tidemark/protocol'
import { afterEach, describe, expect, test } from 'vitest'
import { type SelfTestReport, UnfitStoreError } from '../src/index.js'
import type { Weakness } from '../src/testing/index.js'
import { blobOf, keyOf, type Opened, open, openStore, type Served, SPACE, serve } from './fixture.js'

const opened: Pick<Opened, 'close'>[] = []
/** Methods of all requests. */
const seen: string[] = []
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close()
})

async function start(...weaknesses: Weakness[]): Promise<Opened> {
  const result = await open({ weaknesses, onRequest: ({ method }) => seen.push(method) })
  opened.push(result)
  return result
}

async function served(...weaknesses: Weakness[]): Promise<Served> {
  const result = await serve({ weaknesses })
  opened.push(result)
  return result
}

const lacking = ({ checks }: SelfTestReport): string[] =>
  checks.filter(({ holds }) => !holds).map(({ check }) => check)

describe('a store that can less', () => {
  test.each([
    { weak: ['ignores-payload-hash'], lacks: [], bind: 'dual' },
    { weak: ['knows-no-hash-in-urls'], lacks: [], bind: 'checksum' },
    { weak: ['ignores-checksum'], lacks: ['tells-checksums'], bind: 'dual' },
    { weak: ['refuses-checksum'], lacks: ['tells-checksums'], bind: 'payload-hash' },
    { weak: ['takes-unsigned-headers'], lacks: ['refuses-unsigned-headers'], bind: 'dual' },
    { weak: ['ignores-conditions'], lacks: ['creates-only-once'], bind: 'dual' },
  ] as const)('$weak is used with $bind, and $lacks is said', async ({ weak, lacks, bind }) => {
    const { store, client, double } = await start(...weak)
    expect(lacking(store.report)).toEqual(lacks)
    expect(store.report).toMatchObject({ bind, verifiesOnPut: true })
    expect(store.supports).toEqual({ verifiesOnPut: true, grants: true })
    const blob = blobOf(1_000)
    const grant = await store.grantPut(SPACE, blob)
    await client.put(grant, blob.bytes, {})
    await client.put(grant, blob.bytes, {})
    const other = await store.grantPut(SPACE, blobOf(1_000))
    await expect(client.put(other, blob.bytes, {})).rejects.toBeInstanceOf(BlobMismatchError)
    expect(await store.stat(SPACE, blob.id)).toBe(1_000)
    expect(double.keys()).toEqual([keyOf(blob.id)])
  })

  test.each([
    ['ignores-signatures', 'it takes grants that were changed: anybody could write'],
    ['ignores-expiry', 'it takes grants that are over'],
    ['ignores-ranges', 'it does not answer ranges'],
    ['lists-late', 'it does not list what was just put'],
    ['keeps-deleted', 'it does not delete'],
  ] as const)('%s: not opened, and the error names it', async (weakness, sentence) => {
    const double = await served(weakness)
    const error = await openStore(double).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(UnfitStoreError)
    expect(error).toMatchObject({ code: 'STORE_UNFIT', retry: 'never' })
    expect((error as Error).message).toContain(sentence)
    // Nothing else is held against it: who compares no signatures binds no length either.
    const expected = weakness === 'ignores-signatures' ? 2 : 1
    expect(lacking((error as UnfitStoreError).report)).toHaveLength(expected)
    if (weakness !== 'keeps-deleted') expect(double.double.keys()).toEqual([])
  })

  test('wrong keys, a bucket that is not there, and nobody at the address are said as such', async () => {
    const double = await served()
    const wrong = { accessKeyId: 'double', secretAccessKey: 'wrong' }
    await expect(openStore(double, { credentials: wrong })).rejects.toThrow('403 SignatureDoesNotMatch')
    await expect(openStore(double, { bucket: 'nowhere' })).rejects.toThrow('404 NoSuchBucket')
    const nobody = openStore(double, { endpoint: 'http://127.0.0.1:1' })
    await expect(nobody).rejects.toBeInstanceOf(StoreError)
    await expect(nobody).rejects.toThrow('no answer from http://127.0.0.1:1')
  })

  test('a store that fails for a moment is not taken for one that can less', async () => {
    const own = await served()
    const slowDown = { kind: 'status', status: 503, code: 'SlowDown' } as const
    // The first one hits an upload, the others the answers to what must be refused.
    own.double.faults.add({ fault: slowDown, method: 'PUT', times: 3 })
    const store = await openStore(own)
    expect(lacking(store.report)).toEqual([])
    await store.close()
    own.double.faults.add({ fault: slowDown, method: 'PUT', times: 4 })
    const error = await openStore(own).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(StoreError)
    expect(error).toMatchObject({ status: 503 })
  })

  test('options that cannot be meant are refused before anything is sent', async () => {
    const double = await served()
    for (const prefix of ['/', 'a', '../', 'a//', 'a b/', './']) {
      await expect(openStore(double, { prefix }), prefix).rejects.toBeInstanceOf(TypeError)
    }
    await expect(openStore(double, { grantTtlMs: 999 })).rejects.toBeInstanceOf(TypeError)
    for (const bucket of ['', 'ab', 'a/b', 'a b c', '..a']) {
      await expect(openStore(double, { bucket }), bucket).rejects.toBeInstanceOf(TypeError)
    }
    await expect(openStore(double, { publicEndpoint: 'nowhere' })).rejects.toBeInstanceOf(TypeError)
  })
})

describe('a store that takes wrong bytes', () => {
  test('what was uploaded counts only when it was read back and hashed, once', async () => {
    const { store, client, double } = await start('ignores-payload-hash', 'ignores-checksum')
    expect(lacking(store.report)).toEqual(['refuses-wrong-bytes', 'tells-checksums'])
    expect(store.supports).toEqual({ verifiesOnPut: false, grants: true })
    const [right, wrong] = [blobOf(300_000), blobOf(300_000)]
    await client.put(await store.grantPut(SPACE, right), right.bytes, {})
    await client.put(await store.grantPut(SPACE, wrong), right.bytes, {})
    expect(double.keys()).toHaveLength(2)
    expect(await store.stat(SPACE, right.id)).toBe(300_000)
    // Looked at once, whoever asks meanwhile.
    seen.length = 0
    const lengths = await Promise.all([1, 2, 3].map(() => store.stat(SPACE, wrong.id)))
    expect(lengths).toEqual([undefined, undefined, undefined])
    expect(seen.filter((method) => method === 'GET')).toEqual(['GET'])
    expect(seen, 'to look changes nothing').not.toContain('DELETE')
    // A grant that creates could not bring the right bytes.
    await client.put(await store.grantPut(SPACE, wrong), wrong.bytes, {})
    expect(await store.stat(SPACE, wrong.id)).toBe(300_000)
    expect(double.keys()).toHaveLength(2)
    double.faults.add({ fault: { kind: 'status', status: 500, code: 'InternalError' }, method: 'GET' })
    expect(await store.stat(SPACE, right.id)).toBe(300_000)
  })

  test('a look that fails says nothing about the bytes, and removes nothing', async () => {
    const { store, client, double } = await start('ignores-payload-hash', 'ignores-checksum')
    const blob = blobOf(300_000)
    await client.put(await store.grantPut(SPACE, blob), blob.bytes, {})
    double.faults.add({ fault: { kind: 'cut-answer', afterBytes: 100_000 }, method: 'GET' })
    await expect(store.stat(SPACE, blob.id)).rejects.toBeInstanceOf(StoreError)
    expect(await store.stat(SPACE, blob.id)).toBe(300_000)
  })
})

test.each([
  ['a store that tells checksums', []],
  ['one that does not', ['ignores-checksum']],
] as const)('something else under the key of a blob is replaced: %s', async (_, weaknesses) => {
  const { store, double } = await start(...weaknesses)
  const blob = blobOf(100)
  double.plant(keyOf(blob.id), Buffer.from('something else'))
  await store.put(SPACE, blob.id, blob.bytes)
  const bytes = await store.read(SPACE, blob.id, { offset: 0, length: 100 })
  expect(Buffer.compare(bytes, blob.bytes)).toBe(0)
})

test('a listing of many pages is read to its end', async () => {
  const { store, double } = await start()
  const ids = Array.from({ length: 1_100 }, (_, i) => `ab${i.toString(16).padStart(62, '0')}`)
  for (const id of ids) double.plant(keyOf(id as BlobId), Buffer.from('x'))
  const listed: string[] = []
  for await (const id of store.list(SPACE)) listed.push(id)
  expect(listed).toEqual(ids)
})

test('what others put below the prefix is not listed', async () => {
  const { store, double } = await start()
  const blob = blobOf(10)
  await store.put(SPACE, blob.id, blob.bytes)
  for (const key of [`ab/${SPACE}/readme.txt`, `00/${SPACE}/${'1'.repeat(64)}`, `ab/${SPACE}/x/${blob.id}`]) {
    double.plant(key, Buffer.from('x'))
  }
  const listed: string[] = []
  for await (const id of store.list(SPACE)) listed.push(id)
  expect(listed).toEqual([blob.id])
})
