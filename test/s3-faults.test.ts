import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { openReplica, type Replica, type Space } from '@tidemark/engine'
import { nodePlatform, openLevelStore } from '@tidemark/engine/node'
import { ChunkMismatchError, ChunksMissingError } from '@tidemark/protocol'
import { S3Double } from '@tidemark/store-s3/testing'
import { webSocketTransport } from '@tidemark/transport-ws'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { randomBytesOf } from './support/bytes.js'
import { type Hub, TOKEN, until, World } from './support/processes.js'

const MIB = 1024 * 1024
const CHUNK_ID = /^[0-9a-f]{64}$/

interface Seen {
  readonly method: string
  readonly isByGrant: boolean
  readonly ms: number
}

let world: World
let double: S3Double
let hub: Hub
let seen: Seen[]
const replicas: Replica[] = []
beforeEach(async () => {
  world = new World()
  seen = []
  double = await S3Double.start({
    directory: world.path('bucket'),
    onRequest: ({ method, url }) =>
      seen.push({ method, isByGrant: url.includes('X-Amz-Signature='), ms: performance.now() }),
  })
  const { accessKeyId, secretAccessKey } = double.credentials
  const keys = [`AWS_ACCESS_KEY_ID=${accessKeyId}`, `AWS_SECRET_ACCESS_KEY=${secretAccessKey}`]
  hub = await world.hub(0, ['--s3-endpoint', double.endpoint, '--s3-bucket', 'bucket'], ['env', ...keys])
  // The faults of a test are for devices, not for what the hub says of itself.
  await until('the hub has its claim', () => double.keys().length > 0)
  seen.length = 0
})
afterEach(async () => {
  for (const replica of replicas.splice(0)) await replica.close()
  await world.close()
  await double.close()
})

/** A program that keeps no bytes of its own. */
async function program(name: string): Promise<Space> {
  const storage = await openLevelStore(world.path(name))
  const replica = await openReplica({ storage, platform: nodePlatform })
  replicas.push(replica)
  replica.connect(webSocketTransport(hub.url), { token: TOKEN })
  return replica.openSpace('default')
}

const settled = async (space: Space): Promise<Space> => {
  await space.settled({ signal: AbortSignal.timeout(20_000) })
  return space
}

const BYTES = randomBytesOf(12 * MIB, 'faults')

test('a store that fails, asks for patience, cuts bodies and gives wrong bytes only takes longer', async () => {
  const put = { method: 'PUT' }
  const get = { method: 'GET' }
  double.faults.add({ fault: { kind: 'status', status: 500, code: 'InternalError' }, ...put })
  double.faults.add({ fault: { kind: 'status', status: 503, code: 'SlowDown', retryAfterS: 2 }, ...put })
  double.faults.add({ fault: { kind: 'cut-request', afterBytes: 100_000 }, ...put })
  double.faults.add({ fault: { kind: 'drop-answer' }, ...put })
  await (await program('writer')).write('large.bin', BYTES)
  const reader = await settled(await program('reader'))
  double.faults.add({ fault: { kind: 'status', status: 500, code: 'InternalError' }, ...get })
  double.faults.add({ fault: { kind: 'status', status: 503, code: 'SlowDown', retryAfterS: 1 }, ...get })
  double.faults.add({ fault: { kind: 'cut-answer', afterBytes: 100_000 }, ...get, times: 2 })
  double.faults.add({ fault: { kind: 'wrong-bytes' }, ...get })
  expect(BYTES.equals(await reader.readFile('large.bin'))).toBe(true)
})

test('a store that asks to wait is not asked before', async () => {
  double.faults.add({
    fault: { kind: 'status', status: 503, code: 'SlowDown', retryAfterS: 2 },
    method: 'PUT',
  })
  // One pack: the second attempt is the next request that puts.
  await (await program('writer')).write('large.bin', BYTES.subarray(0, 4 * MIB))
  const [first, second] = seen.filter(({ method, isByGrant }) => method === 'PUT' && isByGrant)
  expect(second!.ms - first!.ms).toBeGreaterThanOrEqual(1_990)
})

test('nothing is shown of a file whose bytes the store does not take, and the write goes on when it does', async () => {
  double.faults.add({
    fault: { kind: 'status', status: 500, code: 'InternalError' },
    method: 'PUT',
    times: 1_000,
  })
  const [writer, reader] = [await program('writer'), await program('reader')]
  const signal = AbortSignal.timeout(2_000)
  await expect(writer.write('large.bin', BYTES, { signal, fingerprint: '1' })).rejects.toMatchObject({
    name: 'TimeoutError',
  })
  await settled(reader)
  expect(await reader.list()).toEqual([])
  // But for what the hub says of itself.
  expect(double.keys().filter((key) => !key.includes('/tidemark.claims/'))).toEqual([])
  double.faults.clear()
  await writer.write('large.bin', BYTES, { fingerprint: '1' })
  await settled(writer)
  await until('the reader has the entry', async () => (await reader.list()).length === 1)
  expect(BYTES.equals(await reader.readFile('large.bin'))).toBe(true)
})

test('a lost object is reported by the names of its chunks, and is back when the file is written again', async () => {
  const writer = await program('writer')
  await writer.write('large.bin', BYTES)
  await settled(writer)
  for (const key of double.keys()) double.lose(key)
  const reader = await settled(await program('reader'))
  const error = await reader.readFile('large.bin').catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(ChunksMissingError)
  for (const chunk of (error as ChunksMissingError).chunks) expect(chunk).toMatch(CHUNK_ID)
  await writer.write('large.bin', BYTES)
  expect(BYTES.equals(await reader.readFile('large.bin'))).toBe(true)
})

test('an object that is not what it was is reported by the name of a chunk, and no file is made of it', async () => {
  const writer = await program('writer')
  await writer.write('large.bin', BYTES)
  await settled(writer)
  // One: of several whose bytes are wrong any may be the one that is named.
  double.rot(double.keys().find((key) => key.includes('/default/'))!)
  const reader = await settled(await program('reader'))
  const error = await reader.readFile('large.bin').catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(ChunkMismatchError)
  const { expected } = error as ChunkMismatchError
  expect(expected).toMatch(CHUNK_ID)

  const folder = world.path('folder')
  mkdirSync(folder)
  world.live(folder, hub)
  const problems = async () => (await world.status(folder).catch(() => undefined))?.problems ?? []
  await until('the folder says so', async () => (await problems()).length > 0)
  const [problem] = await problems()
  expect(problem).toMatchObject({ path: 'large.bin', cause: 'waiting-for-bytes' })
  expect(problem!.detail).toContain(`chunk ${expected.slice(0, 12)}…: source returned other bytes`)
  expect(existsSync(join(folder, 'large.bin'))).toBe(false)
})
