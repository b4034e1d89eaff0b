import { join } from 'node:path'
import { type LinkState, MemoryKeyValueStore, openReplica } from '@tidemark/engine'
import { nodePlatform } from '@tidemark/engine/node'
import { fsBlobStore } from '@tidemark/store-fs'
import { webSocketTransport } from '@tidemark/transport-ws'
import { expect, test } from 'vitest'
import { seededBytes } from '../../engine/test/bytes.js'
import { createHub } from '../src/index.js'
import { temporaryDirectory } from './fixture.js'

test('a program is told that the hub lacks bytes of what it has written, until it has them', async () => {
  const home = await temporaryDirectory()
  const hub = await createHub({ dataDirectory: join(home, 'hub'), port: 0, token: 's', drainTimeoutMs: 100 })
  const blobs = fsBlobStore({ directory: join(home, 'blobs') })
  await blobs.open()
  const replica = await openReplica({ storage: new MemoryKeyValueStore(), platform: nodePlatform, blobs })
  const reader = await openReplica({ storage: new MemoryKeyValueStore(), platform: nodePlatform })
  try {
    const space = await replica.openSpace('page')
    const other = await reader.openSpace('page')
    const states: LinkState[] = []
    space.status$.subscribe((state) => states.push(state))
    const last = () => states.at(-1)
    await expect.poll(last).toMatchObject({ uploading: false })

    await space.write('large.bin', seededBytes(1, 3_000_000))
    expect(last()).toMatchObject({ uploading: true, connected: false })
    replica.transfers.pause()
    for (const each of [replica, reader]) each.connect(webSocketTransport(hub.url), { token: 's' })
    await other.settled({ signal: AbortSignal.timeout(10_000) })
    await expect.poll(last).toMatchObject({ uploading: true, connected: true, equal: true })
    await expect(other.readFile('large.bin')).rejects.toMatchObject({ code: 'CHUNKS_MISSING' })

    replica.transfers.resume()
    await expect.poll(last, { timeout: 10_000 }).toMatchObject({ uploading: false, equal: true })
    expect(await other.readFile('large.bin')).toHaveLength(3_000_000)
  } finally {
    for (const each of [replica, reader]) await each.close()
    await hub.close()
  }
})
