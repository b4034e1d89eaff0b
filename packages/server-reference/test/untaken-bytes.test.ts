import { join } from 'node:path'
import { MemoryKeyValueStore, openReplica, type Platform, type Replica, type Space } from '@tidemark/engine'
import { nodePlatform } from '@tidemark/engine/node'
import { StoreError } from '@tidemark/protocol'
import { fsBlobStore } from '@tidemark/store-fs'
import { webSocketTransport } from '@tidemark/transport-ws'
import { firstValueFrom } from 'rxjs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { seededBytes } from '../../engine/test/bytes.js'
import { createHub, type Hub } from '../src/index.js'
import { temporaryDirectory } from './fixture.js'

type HubOptions = Parameters<typeof createHub>[0]

const LARGE = seededBytes(1, 3_000_000)
let home: string
let hub: Hub
let onPut: () => Promise<void>
const replicas: Replica[] = []

const platform: Platform = {
  ...nodePlatform,
  blobClient: (baseUrl) => {
    const client = nodePlatform.blobClient(baseUrl)
    return {
      get: (grant, range, options) => client.get(grant, range, options),
      put: async (grant, body, options) => {
        await onPut()
        return client.put(grant, body, options)
      },
      close: () => client.close(),
    }
  },
}

const startHub = (options: Partial<HubOptions> = {}): Promise<Hub> =>
  createHub({ dataDirectory: join(home, 'hub'), port: 0, token: 'secret', drainTimeoutMs: 100, ...options })

beforeEach(async () => {
  onPut = async () => undefined
  home = await temporaryDirectory()
  hub = await startHub()
})
afterEach(async () => {
  for (const replica of replicas.splice(0)) await replica.close()
  await hub.close()
})

/** That keeps what it writes, and has met the hub. */
async function device(name: string, token = 'secret'): Promise<{ replica: Replica; space: Space }> {
  const blobs = fsBlobStore({ directory: join(home, name) })
  await blobs.open()
  const replica = await openReplica({ storage: new MemoryKeyValueStore(), platform, blobs })
  replicas.push(replica)
  replica.connect(webSocketTransport(hub.url), { token })
  const space = await replica.openSpace('photos')
  await settled(space)
  return { replica, space }
}

const settled = (space: Space): Promise<void> => space.settled({ signal: AbortSignal.timeout(20_000) })

async function mustHave(space: Space, path: string): Promise<void> {
  await settled(space)
  expect(Buffer.compare(await space.readFile(path), LARGE)).toBe(0)
}

test('[LV5] a large write is accepted though the hub goes away in the middle of it, and sent when it is back', async () => {
  const { space } = await device('writer')
  onPut = async () => {
    await hub.close()
    throw new StoreError('connection reset')
  }
  await space.write('large.bin', LARGE, { signal: AbortSignal.timeout(20_000) })
  expect(await firstValueFrom(space.status$)).toMatchObject({ uploading: true })
  onPut = async () => undefined
  hub = await startHub({ port: hub.port })
  await settled(space)
  await mustHave((await device('reader')).space, 'large.bin')
})

test('[LV5] a large write is accepted though the hub goes away while its bytes wait for their turn', async () => {
  const { replica, space } = await device('writer')
  replica.transfers.limit({ uploadBytesPerSecond: 1 })
  const twoBodies = seededBytes(2, 12_000_000)
  let gone: Promise<void> | undefined
  await space.write('large.bin', twoBodies, {
    signal: AbortSignal.timeout(20_000),
    onProgress: () => {
      gone ??= hub.close()
    },
  })
  await gone
  expect(gone).toBeDefined()
  expect(await space.stat('large.bin')).toMatchObject({ version: { size: twoBodies.length } })
})

test('[LV5] a large write is accepted though the store of the hub is full, and sent when it has room', async () => {
  const { space } = await device('writer')
  onPut = async () => {
    throw new StoreError('the blob store is full', 507)
  }
  await space.write('large.bin', LARGE)
  expect(await firstValueFrom(space.status$)).toMatchObject({ uploading: true, connected: true })
  await expect(space.settled({ signal: AbortSignal.timeout(200) })).rejects.toThrow(/timeout/)
  onPut = async () => undefined
  await settled(space)
  await mustHave((await device('reader')).space, 'large.bin')
})

test('[AC2] a large file that a device writes which may only read stays there, is said, and is sent when it may write', async () => {
  const tokens = (access: 'read' | 'write'): Partial<HubOptions> => ({
    port: hub.port,
    tokens: [{ token: 'viewer', subject: 'viewer', spaces: '*', access }],
  })
  await hub.close()
  hub = await startHub(tokens('read'))
  const { space: viewer } = await device('viewer', 'viewer')
  await viewer.write('large.bin', LARGE)
  await expect(settled(viewer)).rejects.toMatchObject({ code: 'FORBIDDEN' })
  expect(await firstValueFrom(viewer.status$)).toMatchObject({ unsent: true, uploading: true })
  const { space: reader } = await device('reader')
  expect(await reader.stat('large.bin')).toBeUndefined()
  await hub.close()
  hub = await startHub(tokens('write'))
  await expect
    .poll(() => firstValueFrom(viewer.status$), { timeout: 20_000 })
    .toMatchObject({
      connected: true,
      readOnly: false,
    })
  await settled(viewer)
  await mustHave(reader, 'large.bin')
})

test('of a large write others hear when the hub that takes it has its bytes', async () => {
  const [{ space }, { space: reader }] = [await device('writer'), await device('reader')]
  let release!: () => void
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  let begin!: () => void
  const begun = new Promise<void>((resolve) => {
    begin = resolve
  })
  onPut = () => {
    begin()
    return released
  }
  const writing = space.write('large.bin', LARGE)
  await begun
  await space.mkdir('later')
  await expect.poll(() => reader.stat('later'), { timeout: 10_000 }).toBeDefined()
  expect(await reader.stat('large.bin')).toBeUndefined()
  release()
  await writing
  await expect.poll(() => reader.stat('large.bin'), { timeout: 10_000 }).toBeDefined()
  expect(Buffer.compare(await reader.readFile('large.bin'), LARGE)).toBe(0)
})
