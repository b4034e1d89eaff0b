import type { Connection } from '@tidemark/protocol'
import type { BlobStoreFixture, TransportFixture } from '@tidemark/protocol/conformance'
import { createMemoryTransportPair, MemoryBlobStore } from '@tidemark/protocol/memory'
import { describe, expect, test } from 'vitest'
import { hasher } from './hasher.js'
import { replay, simulate } from './simulate.js'

/** Somebody at a folder and a program change things, the program and the hub die, all goes on. */
const SCRIPT = `
  devices ann app:api
  ann create a 400000
  app create b
  wait 5000
  kill app
  crash hub 7
  start app
  ann create c 70000
  app create d
`

const memoryTransport = async (): Promise<TransportFixture> => {
  const { transport, listener } = createMemoryTransportPair()
  return { transport, listener, close: () => listener.close() }
}

const memoryStore = () => new MemoryBlobStore({ sha256: hasher.sha256, now: () => 0 })

/** Of every `nth` frame nobody hears. */
function losing(nth: number, connection: Connection): Connection {
  let sent = 0
  return new Proxy(connection, {
    get: (target, property) => {
      if (property === 'send') return (frame: Uint8Array) => ++sent % nth === 0 || target.send(frame)
      const value: unknown = Reflect.get(target, property)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

describe('adapters of embedders', () => {
  test('[SM24] a run over adapters that work in microtasks is repeatable', async () => {
    const run = () =>
      simulate({
        seed: 4,
        steps: 60,
        transport: memoryTransport,
        blobStore: async () => {
          const store = memoryStore()
          return { store, client: store.client }
        },
      })
    expect((await run()).traceHash).toBe((await run()).traceHash)
  })

  test('a transport that loses a frame ends the run', async () => {
    const transport = async (): Promise<TransportFixture> => {
      const fixture = await memoryTransport()
      const { transport } = fixture
      return {
        ...fixture,
        transport: { ...transport, connect: async (options) => losing(9, await transport.connect(options)) },
      }
    }
    await expect(replay(SCRIPT, { transport, adapterPatienceMs: 100 })).rejects.toMatchObject({
      rule: 'adapter',
      detail: expect.stringContaining('frames to the hub'),
    })
  })

  test('a transport that does not connect ends the run', async () => {
    const transport = async (): Promise<TransportFixture> => {
      const fixture = await memoryTransport()
      await fixture.listener.close()
      return { ...fixture, listener: { ...fixture.listener, onConnection: () => undefined } }
    }
    await expect(replay(SCRIPT, { transport })).rejects.toMatchObject({ rule: 'adapter' })
  })

  test('a store that forgets when it is opened again is noticed', async () => {
    const blobStore = async (): Promise<BlobStoreFixture> => ({
      store: memoryStore(),
      reopen: async () => memoryStore(),
    })
    const script = `
      devices ann app:api
      wait 1000
      away app
      app create b
      wait 1000
      kill app
    `
    await expect(replay(script, { blobStore })).rejects.toMatchObject({ rule: 'unequal' })
  })

  test('a store that keeps what it has passes, with grants of its own or without', async () => {
    const store = memoryStore()
    await replay(SCRIPT, { blobStore: async () => ({ store: memoryStore() }) })
    await replay(SCRIPT, { blobStore: async () => ({ store, client: store.client }) })
  })
})
