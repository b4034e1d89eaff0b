import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { S3Double, type SeenRequest } from '@tidemark/store-s3/testing'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { writeRandomFile } from './support/bytes.js'
import { type Hub, TOKEN, until, World } from './support/processes.js'
import { readTree } from './support/trees.js'

const MIB = 1024 * 1024

let world: World
let double: S3Double
let seen: SeenRequest[]
let hub: Hub
let a: string
let b: string
beforeEach(async () => {
  world = new World()
  seen = []
  double = await S3Double.start({
    directory: world.path('bucket'),
    onRequest: (request) => seen.push(request),
  })
  hub = await startHub()
  a = folder('a')
  b = folder('b')
})
afterEach(async () => {
  await world.close()
  await double.close()
})

function startHub(port = 0): Promise<Hub> {
  const { accessKeyId, secretAccessKey } = double.credentials
  const keys = [`AWS_ACCESS_KEY_ID=${accessKeyId}`, `AWS_SECRET_ACCESS_KEY=${secretAccessKey}`]
  const flags = ['--s3-endpoint', double.endpoint, '--s3-bucket', 'bucket', '--s3-prefix', 'hub/']
  return world.hub(port, flags, ['env', ...keys])
}

function folder(name: string): string {
  const path = world.path(name)
  mkdirSync(path)
  return path
}

function fill(path: string): void {
  mkdirSync(join(path, 'sub'))
  writeFileSync(join(path, 'empty'), '')
  writeFileSync(join(path, 'sub/small.txt'), 'small')
  writeRandomFile(join(path, 'sub/medium.bin'), MIB, 'medium')
  writeRandomFile(join(path, 'large.bin'), 20 * MIB, 'large')
}

/** Uploads and downloads of devices: by presigned URL. */
const byGrant = (method: string): SeenRequest[] =>
  seen.filter((each) => each.method === method && each.url.includes('X-Amz-Signature='))

test('two devices sync a folder through a hub whose bytes are in S3, past the hub', async () => {
  fill(a)
  seen.length = 0
  await world.once(a, hub)
  await world.once(b, hub)
  expect(readTree(b)).toEqual(readTree(a))
  expect(double.keys().length).toBeGreaterThan(2)
  expect(
    double.keys().every((key) => /^hub\/[0-9a-f]{2}\/(default|tidemark\.claims)\/[0-9a-f]{64}$/.test(key)),
  ).toBe(true)
  expect(existsSync(world.path('hub', 'store'))).toBe(false)
  expect(byGrant('PUT').length).toBeGreaterThan(1)
  expect(byGrant('GET').length).toBeGreaterThan(1)
  // What a device tells the hub is none of the store's business, and what it tells the store none of the log's.
  expect(JSON.stringify(seen)).not.toContain(TOKEN)
  for (const { headers } of [...byGrant('PUT'), ...byGrant('GET')])
    expect(headers.authorization).toBeUndefined()
  for (const { headers } of byGrant('PUT')) {
    expect(headers['x-amz-content-sha256']).toMatch(/^[0-9a-f]{64}$/)
  }
  expect(hub.log.join('\n')).not.toMatch(/X-Amz-Signature|double-secret/)
})

test("2,000 small files are at most a request for 50 of them, the hub's own included", async () => {
  for (let i = 0; i < 2_000; i++) {
    const directory = join(a, `d${Math.floor(i / 100)}`)
    if (i % 100 === 0) mkdirSync(directory)
    writeFileSync(join(directory, `${i}.txt`), `line of file ${i}\n`.repeat(60 + (i % 160)))
  }
  const ofObjects = (): number =>
    seen.filter(({ method, url }) => ['GET', 'PUT'].includes(method) && url.includes('/default/')).length
  seen.length = 0
  await world.once(a, hub)
  const up = ofObjects()
  await world.once(b, hub)
  expect(readTree(b)).toEqual(readTree(a))
  expect(up).toBeLessThanOrEqual(40)
  expect(ofObjects() - up).toBeLessThanOrEqual(40)
})

test('a store that fails, slows down and cuts bodies only takes longer', async () => {
  const faults = [
    { fault: { kind: 'status', status: 503, code: 'SlowDown' }, times: 3 },
    { fault: { kind: 'drop-answer' }, method: 'PUT' },
    { fault: { kind: 'cut-request', afterBytes: 100_000 }, method: 'PUT' },
    { fault: { kind: 'cut-answer', afterBytes: 100_000 }, method: 'GET', times: 2 },
    { fault: { kind: 'wrong-bytes' }, method: 'GET' },
  ] as const
  fill(a)
  for (const plan of faults) double.faults.add(plan)
  await world.once(a, hub)
  for (const plan of faults) double.faults.add(plan)
  await world.once(b, hub)
  expect(readTree(b)).toEqual(readTree(a))
  expect(await world.status(b)).toMatchObject({ problems: [] })
})

test('a hub that lost its database finds its bytes in the bucket: nothing is sent again', async () => {
  fill(a)
  await world.once(a, hub)
  await hub.kill()
  rmSync(world.path('hub'), { recursive: true })
  hub = await startHub(hub.port)
  seen.length = 0
  await world.once(a, hub)
  await world.once(b, hub)
  expect(readTree(b)).toEqual(readTree(a))
  expect(byGrant('PUT')).toEqual([])
})

test('[BG22] bytes that somebody removed from the bucket come back from a device', async () => {
  fill(a)
  await world.once(a, hub)
  await hub.stop()
  for (const key of double.keys()) double.lose(key)
  hub = await startHub(hub.port)
  world.live(a, hub)
  world.live(b, hub)
  const hasAll = () =>
    ['large.bin', 'sub/small.txt', 'sub/medium.bin'].every((name) => existsSync(join(b, name)))
  await until('b has the files', hasAll, 60_000)
  expect(readTree(b)).toEqual(readTree(a))
})

test('live edits travel, whether their bytes go by message or by grant', async () => {
  const devices = [a, b].map((path) => world.live(path, hub))
  await until('both are connected', () => devices.every(({ lines }) => lines.length > 0))
  writeFileSync(join(a, 'small.txt'), 'small')
  writeRandomFile(join(a, 'large.bin'), 9 * MIB, 'live')
  await until('both files arrive', () =>
    ['small.txt', 'large.bin'].every((name) => existsSync(join(b, name))),
  )
  for (const device of devices) expect(await device.stop()).toBe(0)
  expect(readTree(b)).toEqual(readTree(a))
})

test('a hub does not start over a bucket that is not there, and says so', async () => {
  const flags = ['--s3-endpoint', double.endpoint, '--s3-bucket', 'nowhere']
  const args = ['hub', '--port', '0', '--data', world.path('other'), ...flags]
  const keys = ['AWS_ACCESS_KEY_ID=double', 'AWS_SECRET_ACCESS_KEY=double-secret']
  const { code, stderr } = await world.run(args, { wrapper: ['env', ...keys] })
  expect(code).toBe(1)
  expect(stderr).toContain('STORE_UNFIT')
  expect(stderr).toContain('404 NoSuchBucket')
  expect(existsSync(world.path('other'))).toBe(false)
})
