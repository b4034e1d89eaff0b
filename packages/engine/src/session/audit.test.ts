import { type DeviceId, type Message, parseSpaceName, ROOT, type StateDigest } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { MemoryKeyValueStore } from '../adapters/memory-store.js'
import { SpaceDatabase } from '../database/space-database.js'
import { nodePlatform } from '../node/index.js'
import { ChunkCache } from '../transfer/chunk-cache.js'
import { SerialQueue } from './serial-queue.js'
import type { ExchangeMessage } from './session.js'
import { SpaceExchange } from './space-exchange.js'

interface End {
  readonly storage: MemoryKeyValueStore
  readonly database: SpaceDatabase
  readonly exchange: SpaceExchange
  readonly heard: Message[]
}

/** A device and a hub with a line between them. */
async function pair(onDiffers: () => void): Promise<{ device: End; hub: End }> {
  const { clock, random, hasher } = nodePlatform
  const ends: End[] = []
  for (const isHub of [false, true]) {
    const storage = new MemoryKeyValueStore()
    const database = await SpaceDatabase.open({
      storage,
      space: parseSpaceName('photos'),
      device: (isHub ? 'b' : 'a').repeat(16) as DeviceId,
      mode: isHub ? 'relay' : 'direct',
      clock,
      random,
      sha256: (bytes) => hasher.sha256(bytes),
    })
    const queue = new SerialQueue((error) => {
      throw error
    })
    const exchange = new SpaceExchange({
      database,
      channel: 1,
      isHub,
      isPeerHub: !isHub,
      peer: (isHub ? 'a' : 'b').repeat(16) as DeviceId,
      mayWrite: true,
      cache: new ChunkCache(),
      hasher,
      send: async (message) => {
        const other = ends[isHub ? 0 : 1]!
        other.heard.push(message)
        queue.push(() => other.exchange.receive(message as ExchangeMessage))
      },
      fail: (error) => {
        throw error
      },
      onChange: () => undefined,
      onDiffers,
    })
    ends.push({ storage, database, exchange, heard: [] })
  }
  const [device, hub] = ends as [End, End]
  await Promise.all([device.exchange.start(), hub.exchange.start()])
  return { device, hub }
}

async function digestOf({ database }: End): Promise<StateDigest> {
  const snapshot = await database.snapshot()
  const digest = await snapshot.digest()
  await snapshot.close()
  return digest
}

/** A disk loses the registers of a node, and nobody notices. */
async function lose({ storage }: End, node: string): Promise<void> {
  for await (const page of storage.range({ gte: 's/photos/r/', lt: 's/photos/r0' })) {
    const ops = page.filter(([key]) => key.endsWith(node)).map(([key]) => ({ type: 'del' as const, key }))
    await storage.batch(ops, { sync: true })
  }
}

const kinds = (end: End): string[] => end.heard.map(({ type }) => type).filter((type) => type !== 'members')

test('[EX12] two that show the same find that out with one message', async () => {
  const { device, hub } = await pair(() => expect.unreachable())
  await device.database.commit([{ type: 'create', ref: 'a', parent: { node: ROOT }, name: 'a', kind: 'dir' }])
  await expect.poll(() => device.exchange.isEqual && hub.exchange.isEqual).toBe(true)
  hub.heard.length = device.heard.length = 0
  expect(await device.exchange.audit()).toBe(true)
  await expect.poll(() => kinds(hub)).toEqual(['digest'])
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(kinds(device)).toEqual([])
  expect(await digestOf(device)).toBe(await digestOf(hub))
})

test.each(['hub', 'device'] as const)(
  '[EX12] what the %s has lost, though its frontier claims it, is back after two audits',
  async (loser) => {
    let differs = 0
    const ends = await pair(() => differs++)
    const { device, hub } = ends
    const made = await device.database.commit([
      { type: 'create', ref: 'a', parent: { node: ROOT }, name: 'a', kind: 'dir' },
      { type: 'create', ref: 'b', parent: { ref: 'a' }, name: 'b', kind: 'dir' },
    ])
    await expect.poll(() => device.exchange.isEqual && hub.exchange.isEqual).toBe(true)
    await lose(ends[loser], made.created.get('b')!.node)
    // What was counted is counted again when something has changed since.
    await device.database.commit([
      { type: 'create', ref: 'c', parent: { node: ROOT }, name: 'c', kind: 'dir' },
    ])
    await expect.poll(() => device.exchange.isEqual && hub.exchange.isEqual).toBe(true)
    expect(await digestOf(device)).not.toBe(await digestOf(hub))
    await device.exchange.audit()
    await expect.poll(() => differs).toBe(1)
    expect(ends[loser].database.repaired).toBe(0)
    await device.exchange.audit()
    await expect.poll(() => ends[loser].database.repaired).toBe(1)
    expect(await digestOf(device)).toBe(await digestOf(hub))
    await expect.poll(() => device.exchange.isEqual && hub.exchange.isEqual).toBe(true)
    await device.exchange.audit()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect([differs, device.database.repaired + hub.database.repaired]).toEqual([1, 1])
  },
)
