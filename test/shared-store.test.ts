import { mkdtempSync, rmSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openReplica, PackFormat, type Replica, type Space } from '@tidemark/engine'
import { nodePlatform, openLevelStore } from '@tidemark/engine/node'
import { MemoryBlobStore } from '@tidemark/protocol/memory'
import { createLogger, type Hub, openHubReplica, startHub } from '@tidemark/server-reference'
import { webSocketListener, webSocketTransport } from '@tidemark/transport-ws'
import { filter, firstValueFrom, map } from 'rxjs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { seededBytes } from '../packages/engine/test/bytes.js'

const DAY = 24 * 3_600_000
const TOKEN = 'secret'

let home: string
let store: MemoryBlobStore
const events: string[] = []
const running: { close(): Promise<void> }[] = []
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'tidemark-shared-'))
  store = new MemoryBlobStore({
    sha256: (bytes) => nodePlatform.hasher.sha256(bytes),
    now: () => nodePlatform.clock.nowMs(),
  })
  events.length = 0
})
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.close()
  rmSync(home, { recursive: true })
})

/** How long a hub takes itself to have run, beyond what it did. */
interface Time {
  skippedMs: number
}

/** A hub over the one store that sweeps all the time, and keeps for two days what nobody needs. */
async function hubAt(name: string, time: Time): Promise<Hub> {
  const hub = await startHub(
    { dataDirectory: join(home, name), port: 0, token: TOKEN, keepUnusedDays: 2, sweepEveryMs: 50 },
    {
      openStorage: openLevelStore,
      openEngine: openHubReplica(nodePlatform),
      listen: ({ server, path }) => webSocketListener({ server, path }),
      blobs: store,
      packs: new PackFormat(nodePlatform.hasher, nodePlatform.compressor),
      hasher: nodePlatform.hasher,
      clock: nodePlatform.clock,
      timers: { monotonicMs: () => nodePlatform.timers.monotonicMs() + time.skippedMs },
      logger: createLogger({
        clock: nodePlatform.clock,
        write: (line) => void events.push(`${name} ${JSON.parse(line).event}`),
      }),
    },
  )
  running.push(hub)
  return hub
}

async function deviceAt(name: string, hub: Hub): Promise<Space> {
  const replica: Replica = await openReplica({
    storage: await openLevelStore(join(home, name)),
    platform: nodePlatform,
  })
  running.push(replica)
  replica.connect(webSocketTransport(hub.url), { token: TOKEN, blobClient: store.client })
  const space = await replica.openSpace('photos')
  await settled(space)
  return space
}

const settled = (space: Space): Promise<void> => space.settled({ signal: AbortSignal.timeout(20_000) })
const read = async (space: Space, path: string): Promise<Buffer> => Buffer.from(await space.readFile(path))

/** Four weeks, in each of which the hub has looked at what it may delete. */
async function weeks(name: string, time: Time): Promise<void> {
  for (let day = 0; day < 28; day += 7) {
    time.skippedMs += 7 * DAY
    const looks = () =>
      events.filter((event) => new RegExp(`^${name} (sweep-done|store-shared)$`).test(event))
    const before = looks().length
    await expect.poll(() => looks().length, { timeout: 20_000 }).toBeGreaterThan(before)
  }
}

test('[BG27] two hubs over one store, which one of them must not be, lose nothing of each other', async () => {
  const time: Time = { skippedMs: 0 }
  const [one, two] = [await hubAt('one', time), await hubAt('two', { skippedMs: 0 })]
  const bytes = seededBytes(1, 300_000)
  const space = await deviceAt('a', two)
  await space.write('only-here.bin', bytes)
  await settled(space)
  // It has the space too, and shows nothing of the other one.
  const other = await deviceAt('b', one)
  await other.write('something.txt', 'else')
  await settled(other)
  await weeks('one', time)
  expect(await read(await deviceAt('c', two), 'only-here.bin')).toEqual(Buffer.from(bytes))
  expect(await (await fetch(`${one.url}/metrics`)).text()).toMatch(/^tidemark_store_other_hubs 1$/m)
})

test('[BG27] a hub, and a copy of it that was started for a trial, lose nothing of each other', async () => {
  const time: Time = { skippedMs: 0 }
  const first = await hubAt('hub', { skippedMs: 0 })
  await settled(await deviceAt('before', first))
  for (const each of running.splice(0).reverse()) await each.close()
  await cp(join(home, 'hub'), join(home, 'trial'), { recursive: true })
  const [hub] = [await hubAt('hub', { skippedMs: 0 }), await hubAt('trial', time)]
  const bytes = seededBytes(2, 300_000)
  const space = await deviceAt('a', hub)
  await space.write('since.bin', bytes)
  await settled(space)
  await weeks('trial', time)
  expect(await read(await deviceAt('c', hub), 'since.bin')).toEqual(Buffer.from(bytes))
})

test("[BG27] no device may open the space of the hubs' claims", async () => {
  const hub = await hubAt('hub', { skippedMs: 0 })
  const replica = await openReplica({
    storage: await openLevelStore(join(home, 'x')),
    platform: nodePlatform,
  })
  running.push(replica)
  replica.connect(webSocketTransport(hub.url), { token: TOKEN })
  const space = await replica.openSpace('tidemark.claims')
  const failure = space.status$.pipe(
    map(({ error }) => error),
    filter((error) => error !== undefined),
  )
  expect(await firstValueFrom(failure)).toMatchObject({ code: 'FORBIDDEN' })
})
