import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { openReplica, PackFormat, type Replica, type Space } from '@tidemark/engine'
import { nodePlatform, openLevelStore } from '@tidemark/engine/node'
import { fsBlobStore } from '@tidemark/store-fs'
import { webSocketListener, webSocketTransport } from '@tidemark/transport-ws'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { seededBytes } from '../../engine/test/bytes.js'
import { type Hub, type HubConfigOptions, openHubReplica, startHub } from '../src/index.js'
import { keptLog, temporaryDirectory } from './fixture.js'

const DAY = 24 * 3_600_000
const TOKEN = 'secret'

let home: string
let hub: Hub
/** Milliseconds that the hub takes to have passed and that have not. */
let skippedMs: number
const { logger, lines } = keptLog()
const replicas: Replica[] = []

beforeEach(async () => {
  home = await temporaryDirectory()
  skippedMs = 0
  lines.length = 0
})
afterEach(async () => {
  for (const replica of replicas.splice(0)) await replica.close()
  await hub.close()
})

/** A real hub over a directory, whose running time the test can move on. It sweeps all the time. */
async function start(options: Partial<HubConfigOptions> = {}): Promise<void> {
  hub = await startHub(
    {
      dataDirectory: join(home, 'hub'),
      port: 0,
      token: TOKEN,
      keepUnusedDays: 2,
      sweepEveryMs: 20,
      collectEveryMs: 50,
      ...options,
    },
    {
      openStorage: openLevelStore,
      openEngine: openHubReplica(nodePlatform),
      listen: webSocketListener,
      packs: new PackFormat(nodePlatform.hasher, nodePlatform.compressor),
      hasher: nodePlatform.hasher,
      clock: nodePlatform.clock,
      timers: { monotonicMs: () => nodePlatform.timers.monotonicMs() + skippedMs },
      logger,
    },
  )
}

interface Device {
  readonly replica: Replica
  readonly space: Space
}

async function device(name: string, { keeps = true } = {}): Promise<Device> {
  const replica = await openReplica({
    storage: await openLevelStore(join(home, name, 'database')),
    platform: nodePlatform,
    collectEveryMs: 50,
    ...(keeps ? { blobs: fsBlobStore({ directory: join(home, name, 'blobs') }) } : {}),
  })
  replicas.push(replica)
  replica.connect(webSocketTransport(hub.url), { token: TOKEN })
  return { replica, space: await replica.openSpace('photos') }
}

const settled = (space: Space): Promise<void> => space.settled({ signal: AbortSignal.timeout(20_000) })

/** So much later a pass has been made. */
async function later(days: number): Promise<void> {
  skippedMs += days * DAY
  const before = passes()
  // One may have been under way when time went on.
  await expect.poll(passes, { timeout: 20_000 }).toBeGreaterThan(before + 1)
}
const passes = (): number => lines.filter(({ event }) => event === 'sweep-done').length

/** Blobs that the hub has, but for its claim. */
async function stored(): Promise<number> {
  const names = await readdir(join(home, 'hub/store'), { recursive: true })
  return names.filter((name) => /\/photos\/[0-9a-f]{64}$/.test(name)).length
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${hub.url}/metrics`)).text()
  return Number(new RegExp(`^tidemark_${name} (\\d+)$`, 'm').exec(text)?.[1])
}

const bytesOf = async (space: Space, path: string): Promise<Buffer> => Buffer.from(await space.readFile(path))

test('[BG21] [BG24] old versions go after a while, current ones stay, and in the end nothing is left', async () => {
  await start()
  const { space: a } = await device('a')
  const [first, second] = [seededBytes(1, 400_000), seededBytes(2, 400_000)]
  await a.write('f.bin', first)
  await a.write('kept.txt', 'kept')
  await settled(a)
  await a.write('f.bin', second)
  await settled(a)
  await later(1)
  expect(await metric('blob_bytes_condemned')).toBeGreaterThan(400_000)
  await later(2)
  expect(await metric('blob_bytes_deleted_total')).toBeGreaterThan(400_000)
  await later(2)
  expect(await metric('blob_bytes_condemned')).toBe(0)
  const { space: b } = await device('b', { keeps: false })
  await settled(b)
  expect(await bytesOf(b, 'f.bin')).toEqual(Buffer.from(second))
  expect((await bytesOf(b, 'kept.txt')).toString()).toBe('kept')

  await a.remove('f.bin')
  await a.remove('kept.txt')
  await settled(a)
  await expect.poll(() => metric('tombstones'), { timeout: 20_000 }).toBe(0)
  for (const days of [1, 2, 2]) await later(days)
  expect(await stored()).toBe(0)
})

test('[BG25] a device that was away while the bytes of its file were deleted brings them back', async () => {
  await start({ evictAfterDays: 1 / 86_400 })
  const first = await device('a')
  const { space: b } = await device('b', { keeps: false })
  const bytes = seededBytes(3, 300_000)
  await first.space.write('f.bin', bytes)
  await settled(first.space)
  await settled(b)
  await first.replica.close()
  await b.remove('f.bin')
  await settled(b)
  await expect.poll(() => metric('tombstones'), { timeout: 20_000 }).toBe(0)
  for (const days of [1, 2, 2]) await later(days)
  expect(await stored()).toBe(0)

  // It has stored these bytes once, and does not know that they are gone.
  const { port } = hub
  await hub.close()
  const again = await device('a')
  await again.space.write('mine.bin', await bytesOf(again.space, 'f.bin'))
  await start({ port })
  await settled(again.space)
  await settled(b)
  await expect
    .poll(() => bytesOf(b, 'mine.bin').catch(() => undefined), { timeout: 20_000 })
    .toEqual(Buffer.from(bytes))
})

test('[BG23] a hub that is started anew goes on where it was, and a pass that is cut short harms nothing', async () => {
  await start()
  const { space: a } = await device('a')
  for (let n = 0; n < 20; n++) await a.write(`${n}.bin`, seededBytes(n + 1, 70_000))
  await settled(a)
  for (let n = 0; n < 10; n++) await a.write(`${n}.bin`, seededBytes(n + 100, 70_000))
  await settled(a)
  for (let day = 0; day < 4; day++) {
    await later(1)
    const { port } = hub
    await hub.close()
    await start({ port })
  }
  await later(1)
  expect(await metric('blob_bytes_condemned')).toBe(0)
  const { space: b } = await device('b', { keeps: false })
  await settled(b)
  for (let n = 0; n < 20; n++) {
    expect(await bytesOf(b, `${n}.bin`)).toEqual(Buffer.from(seededBytes(n < 10 ? n + 100 : n + 1, 70_000)))
  }
})
