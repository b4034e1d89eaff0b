import { AccessError, type DeviceId, ROOT } from '@tidemark/protocol'
import { createMemoryTransportPair } from '@tidemark/protocol/memory'
import { firstValueFrom } from 'rxjs'
import { expect, onTestFinished, test } from 'vitest'
import { VirtualTimers } from '../test/virtual-timers.js'
import { MemoryKeyValueStore } from './adapters/memory-store.js'
import { nodePlatform } from './node/index.js'
import { openReplica, type PeerLink, type Replica, type ReplicaOptions } from './replica.js'
import { makeHello } from './session/hello.js'
import { Session } from './session/session.js'
import type { Space } from './space.js'

async function replicaWith(options: Partial<ReplicaOptions> = {}): Promise<Replica> {
  const replica = await openReplica({
    storage: new MemoryKeyValueStore(),
    platform: nodePlatform,
    ...options,
  })
  onTestFinished(() => replica.close().catch(() => undefined))
  return replica
}

/** Says whether it was closed. */
class ClosingStore extends MemoryKeyValueStore {
  isClosed = false

  override async close(): Promise<void> {
    this.isClosed = true
  }
}

test('a replica closes its database whatever else fails while it closes', async () => {
  const storage = new ClosingStore()
  const failing = { put: nope, get: nope, close: nope }
  const replica = await replicaWith({ storage, platform: { ...nodePlatform, blobClient: () => failing } })
  replica.connect({ ...createMemoryTransportPair().transport, httpBase: 'http://127.0.0.1:1' })
  await expect(replica.close()).rejects.toThrow('nope')
  expect(storage.isClosed).toBe(true)
})

/** Two replicas, of which the first dials the second. */
async function meeting(
  options: Partial<ReplicaOptions> = {},
): Promise<{ a: Replica; b: Replica; link: PeerLink }> {
  const [a, b] = [await replicaWith(options), await replicaWith(options)]
  const pair = createMemoryTransportPair()
  pair.listener.onConnection((connection) => void b.accept(connection))
  return { a, b, link: a.connect(pair.transport) }
}

const names = (space: Space) => async (): Promise<string[]> => (await space.list()).map(({ name }) => name)

test('a replica that closes ends the sessions that it accepted', async () => {
  const { b, link } = await meeting()
  await expect.poll(() => link.status.phase).toBe('open')
  await b.close()
  await expect.poll(() => link.status.phase).not.toBe('open')
})

test('a closed space takes nothing more from anybody, and the others go on', async () => {
  const { a, b } = await meeting()
  const [ax, bx] = [await a.openSpace('x'), await b.openSpace('x')]
  const [ay, by] = [await a.openSpace('y'), await b.openSpace('y')]
  await ax.mkdir('before')
  await expect.poll(names(bx)).toEqual(['before'])
  await bx.close()
  await ax.mkdir('while closed')
  await ay.mkdir('marker')
  await expect.poll(names(by)).toEqual(['marker'])
  expect(await names(bx)()).toEqual(['before'])
  expect([...ax.peers.all]).toEqual([])
})

test('a space that was closed is opened anew, and goes on where it was', async () => {
  const { a, b } = await meeting()
  const [ax, bx] = [await a.openSpace('x'), await b.openSpace('x')]
  await ax.mkdir('before')
  await expect.poll(names(bx)).toEqual(['before'])
  const closing = bx.close()
  const again = await b.openSpace('x')
  await closing
  expect(again).not.toBe(bx)
  await expect(bx.mkdir('too late')).rejects.toMatchObject({ code: 'CLOSED' })
  await again.mkdir('after')
  await ax.mkdir('too')
  for (const space of [ax, again]) await expect.poll(names(space)).toEqual(['after', 'before', 'too'])
})

test('a space that the peer has not opened keeps nothing else up, and comes when it is opened there', async () => {
  const { a, b, link } = await meeting()
  const [ax, ay, bx] = [await a.openSpace('x'), await a.openSpace('y'), await b.openSpace('x')]
  await ax.mkdir('d')
  await ay.mkdir('e')
  await expect.poll(names(bx)).toEqual(['d'])
  const error = () => firstValueFrom(ay.status$).then((state) => state.error)
  await expect.poll(error).toMatchObject({ code: 'NO_SUCH_SPACE' })
  expect(link.status).toMatchObject({ phase: 'open' })
  const by = await b.openSpace('y')
  await expect.poll(names(by)).toEqual(['e'])
  await expect.poll(error).toBeUndefined()
})

test('a space that the peer refuses is offered again now and then', async () => {
  const timers = new VirtualTimers()
  const replica = await replicaWith({ platform: { ...nodePlatform, timers } })
  await replica.openSpace('x')
  const pair = createMemoryTransportPair()
  let asked = 0
  pair.listener.onConnection((connection) => {
    const far = new Session(connection, {
      hello: makeHello({ device: 'b'.repeat(16) as DeviceId, role: 'hub', agent: 'test' }),
      timers: nodePlatform.timers,
      admit: async () => undefined,
      peerOpened: async () => {
        asked += 1
        throw new AccessError('FORBIDDEN', 'not yet')
      },
    })
    onTestFinished(() => far.close())
  })
  const link = replica.connect(pair.transport)
  await timers.pass(1_000)
  await expect.poll(() => asked).toBe(1)
  await timers.pass(31_000)
  await expect.poll(() => asked).toBe(2)
  expect(link.status.phase).toBe('open')
  await replica.close()
  expect(timers.pending).toBe(0)
})

test('a space is opened in the mode it was opened in first, also by a later process', async () => {
  const storage = new MemoryKeyValueStore()
  const first = await replicaWith({ storage })
  const space = await first.openSpace('p', { bound: true })
  await expect(first.openSpace('p')).rejects.toThrow(TypeError)
  expect(await first.openSpace('p', { bound: true })).toBe(space)
  await first.openSpace('q')
  await expect(first.openSpace('q', { bound: true })).rejects.toThrow(TypeError)
  await first.close()
  const second = await replicaWith({ storage })
  await expect(second.openSpace('p')).rejects.toThrow(TypeError)
  await expect(second.openSpace('q', { bound: true })).rejects.toThrow(TypeError)
  await (await second.openSpace('q')).mkdir('d')
  expect((await second.openSpace('p', { bound: true })).binding).toBeDefined()
})

test('a folder of before modes were recorded is not opened without one', async () => {
  const storage = new MemoryKeyValueStore()
  const first = await replicaWith({ storage })
  const { binding } = await first.openSpace('p', { bound: true })
  const place = { parent: { node: ROOT }, name: 'd' } as const
  await binding.commit([{ type: 'create', ref: 'd', ...place, kind: 'dir' }], async () => ({
    ops: [],
    touch: [],
  }))
  await first.close()
  await storage.batch([{ type: 'del', key: 's/p/m' }], { sync: true })
  const second = await replicaWith({ storage })
  await expect(second.openSpace('p')).rejects.toThrow(TypeError)
  expect((await second.openSpace('p', { bound: true })).binding).toBeDefined()
})

test('a name that is none, and a replica that is closed, are rejections', async () => {
  const replica = await replicaWith()
  await expect(replica.openSpace('no/name')).rejects.toThrow(TypeError)
  await replica.close()
  await expect(replica.openSpace('x')).rejects.toMatchObject({ code: 'CLOSED' })
})

test('a time between collections that no timer can take is refused', async () => {
  for (const collectEveryMs of [Number.POSITIVE_INFINITY, Number.NaN, 0, -1, 2 ** 31]) {
    await expect(replicaWith({ collectEveryMs })).rejects.toThrow(RangeError)
  }
})

async function nope(): Promise<never> {
  throw new Error('nope')
}
