import { join } from 'node:path'
import { MemoryKeyValueStore, openReplica, SpaceDatabase } from '@tidemark/engine'
import { nodePlatform, openLevelStore } from '@tidemark/engine/node'
import { type DeviceId, MEMBERS_MAX } from '@tidemark/protocol'
import { webSocketTransport } from '@tidemark/transport-ws'
import { filter, firstValueFrom } from 'rxjs'
import { expect, test } from 'vitest'
import { createHub } from '../src/index.js'
import { SPACE, temporaryDirectory } from './fixture.js'

/** A hub's directory whose space has so many members besides the hub that writes here. */
async function directoryWith(members: number): Promise<string> {
  const directory = await temporaryDirectory()
  const storage = await openLevelStore(join(directory, 'database'))
  const { clock, random, hasher } = nodePlatform
  const device = 'f'.repeat(16) as DeviceId
  const sha256 = (bytes: Uint8Array) => hasher.sha256(bytes)
  const database = await SpaceDatabase.open({
    storage,
    space: SPACE,
    device,
    mode: 'relay',
    clock,
    random,
    sha256,
  })
  const idOf = (n: number) => n.toString(16).padStart(16, '0') as DeviceId
  await database.gc.setMembers(Array.from({ length: members }, (_, n) => idOf(n)))
  await storage.close()
  return directory
}

/** Devices whose silence the hub in this directory has noted, and whose subject. */
async function noted(
  directory: string,
): Promise<readonly (readonly [string, { readonly subject?: string }])[]> {
  const storage = await openLevelStore(join(directory, 'database'))
  const row = await storage.get(`silence/${SPACE}`)
  await storage.close()
  return row ? JSON.parse(Buffer.from(row).toString()) : []
}

/** Devices open the space, one after the other, each of them new. @returns how many of them were let in. */
async function open(directory: string, devices: number): Promise<number> {
  const hub = await createHub({ dataDirectory: directory, port: 0 })
  let admitted = 0
  try {
    for (let i = 0; i < devices; i++) {
      const replica = await openReplica({ storage: new MemoryKeyValueStore(), platform: nodePlatform })
      const space = await replica.openSpace(SPACE)
      replica.connect(webSocketTransport(hub.url))
      const isDone = filter(
        ({ connected, error }: { connected: boolean; error?: unknown }) => connected || error !== undefined,
      )
      const status = await firstValueFrom(space.status$.pipe(isDone))
      if (status.connected) admitted += 1
      await replica.close()
    }
  } finally {
    await hub.close()
  }
  return admitted
}

test('a hub notes the silence of members, with their subject, as they come', async () => {
  const directory = await directoryWith(0)
  expect(await open(directory, 3)).toBe(3)
  const rows = await noted(directory)
  expect(rows).toHaveLength(3)
  for (const [, { subject }] of rows) expect(subject).toBeDefined()
})

test('a hub notes nothing of devices that open a space and are not let in', async () => {
  const directory = await directoryWith(MEMBERS_MAX)
  expect(await open(directory, 3)).toBe(0)
  expect(await noted(directory)).toEqual([])
})
