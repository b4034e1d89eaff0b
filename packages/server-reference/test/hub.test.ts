import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { MemoryKeyValueStore } from '@tidemark/engine'
import { openLevelStore } from '@tidemark/engine/node'
import { type Connection, parseSpaceName } from '@tidemark/protocol'
import { MemoryBlobStore } from '@tidemark/protocol/memory'
import { webSocketListener, webSocketTransport } from '@tidemark/transport-ws'
import { describe, expect, test } from 'vitest'
import type { Hub, HubConfigOptions, HubCounts, HubEngine, HubParts, HubServices } from '../src/index.js'
import { startHub } from '../src/index.js'
import { chunkOf, hasher, ids, keptLog, packOf, SPACE, simplePacks, temporaryDirectory } from './fixture.js'

/** Answers every frame with who sent it, by its text taken as a token. */
class EchoEngine implements HubEngine {
  readonly #open = new Set<Connection>()
  constructor(readonly services: HubServices) {}

  get sessions(): number {
    return this.#open.size
  }

  accept(connection: Connection): void {
    this.#open.add(connection)
    connection.open({
      frame: (bytes) => {
        const text = Buffer.from(bytes).toString()
        let answer: string
        try {
          answer = this.services.authenticate(text).subject
        } catch (error) {
          answer = (error as { code: string }).code
        }
        connection.send(Buffer.from(answer))
      },
      closed: () => void this.#open.delete(connection),
    })
  }

  async counts(): Promise<HubCounts> {
    return {
      sessions: this.sessions,
      spaces: 1,
      members: 2,
      tombstones: 3,
      repaired: 0,
      condemnedBytes: 4,
      deletedBlobs: 5,
      deletedBytes: 6,
      otherHubs: 7,
    }
  }

  async close(): Promise<void> {
    for (const connection of this.#open) {
      connection.send(Buffer.from('goodbye'))
      connection.close('the hub is stopping')
    }
  }
}

async function start(options: Partial<HubConfigOptions> = {}, parts: Partial<HubParts> = {}) {
  const { logger, lines } = keptLog()
  const dataDirectory = options.dataDirectory ?? (await temporaryDirectory())
  const storage = new MemoryKeyValueStore()
  let engine: EchoEngine | undefined
  const hub = await startHub(
    { port: 0, drainTimeoutMs: 1_000, ...options, dataDirectory },
    {
      openStorage: async () => storage,
      openEngine: async (services) => {
        engine = new EchoEngine(services)
        return engine
      },
      listen: webSocketListener,
      packs: simplePacks,
      hasher,
      clock: { nowMs: () => Date.now() },
      timers: { monotonicMs: () => performance.now() },
      logger,
      ...parts,
    },
  )
  return { hub, lines, storage, engine: engine!, dataDirectory }
}

async function ask(
  hub: Hub,
  text: string,
): Promise<{ answer: string; connection: Connection; closed: Promise<void> }> {
  const connection = await webSocketTransport(hub.url).connect({ signal: AbortSignal.timeout(5_000) })
  let closed: Promise<void> = Promise.resolve()
  const answer = new Promise<string>((resolve) => {
    closed = new Promise((ended) => {
      connection.open({ frame: (bytes) => resolve(Buffer.from(bytes).toString()), closed: () => ended() })
    })
  })
  connection.send(Buffer.from(text))
  return { answer: await answer, connection, closed }
}

describe('HTTP', () => {
  test('health and readiness are answered, everything unknown is a problem document', async () => {
    await using started = { ...(await start()), [Symbol.asyncDispose]: async () => started.hub.close() }
    const { url } = started.hub
    for (const path of ['/healthz', '/readyz']) {
      const response = await fetch(url + path)
      expect([response.status, await response.json()]).toEqual([200, { status: 'ok' }])
      expect((await fetch(url + path, { method: 'HEAD' })).status).toBe(200)
      expect((await fetch(url + path, { method: 'POST' })).status).toBe(405)
    }
    const cases: [string, number, string][] = [
      ['/', 404, 'NOT_FOUND'],
      ['/sync', 426, 'UPGRADE_REQUIRED'],
      ['/blobs/x', 404, 'NOT_FOUND'],
    ]
    for (const [path, status, code] of cases) {
      const response = await fetch(url + path)
      expect(response.headers.get('content-type')).toBe('application/problem+json')
      expect(response.headers.get('x-request-id')).toMatch(/^r\d+$/)
      expect(await response.json()).toMatchObject({ status, code })
    }
  })

  test('a hub that was given a store has no other one, and answers no requests for blobs', async () => {
    const blobs = new MemoryBlobStore({ sha256: (bytes) => hasher.sha256(bytes), now: () => Date.now() })
    const { hub, engine, dataDirectory } = await start({}, { blobs })
    const authority = engine.services.blobAuthority(SPACE)
    const chunks = [chunkOf(1_000), chunkOf(2_000)]
    const pack = packOf(chunks)
    const [grant] = await authority.grantPuts([{ id: pack.id, length: pack.bytes.length }])
    expect(grant!.url).toMatch(/^memory:/)
    await blobs.client.put(grant!, pack.bytes, {})
    expect(await authority.need(ids(chunks))).toEqual(ids(chunks))
    // Nobody told the hub of the upload: it looks and reads.
    expect(await authority.stored([pack.id])).toEqual([pack.id])
    expect(await authority.need(ids(chunks))).toEqual([])
    expect((await fetch(`${hub.url}/blobs/${SPACE}/${pack.id}`)).status).toBe(404)
    expect(await readdir(dataDirectory)).toEqual([])
    await hub.close()
  })

  test('a granted upload is indexed before it is answered, and its grant opens nothing else', async () => {
    const { hub, engine, lines } = await start()
    const authority = engine.services.blobAuthority(SPACE)
    expect(engine.services.blobAuthority(SPACE)).toBe(authority)
    const chunks = [chunkOf(1_000), chunkOf(2_000)]
    const pack = packOf(chunks)
    const [grant] = await authority.grantPuts([{ id: pack.id, length: pack.bytes.length }])
    const put = await fetch(new URL(grant!.url, hub.url), { method: 'PUT', body: new Uint8Array(pack.bytes) })
    expect(put.status).toBe(201)
    expect(await authority.need(ids(chunks))).toEqual([])
    const other = engine.services.blobAuthority(parseSpaceName('other'))
    expect(await other.need(ids(chunks))).toEqual(ids(chunks))
    const located = await authority.locate(ids(chunks))
    const place = located.chunks.find(({ id }) => id === chunks[1]!.id)!
    const got = await fetch(new URL(located.blobs[place.blob]!.grant.url, hub.url), {
      headers: { range: `bytes=${place.offset}-${place.offset + place.storedLength - 1}` },
    })
    expect(got.status).toBe(206)
    expect(Buffer.from(await got.arrayBuffer())).toEqual(chunks[1]!.bytes)
    await hub.close()
    expect(JSON.stringify(lines)).not.toMatch(/sig=/)
  })
})

describe('sessions', () => {
  test("an upgrade at /sync becomes a session of the engine, with the hub's authority", async () => {
    const tokens = [{ token: 'k', subject: 'laptop', spaces: '*', access: 'write' }] as const
    const { hub, lines } = await start({ tokens })
    expect((await ask(hub, 'k')).answer).toBe('laptop')
    expect((await ask(hub, 'wrong')).answer).toBe('UNAUTHENTICATED')
    const accepted = lines.filter(({ event }) => event === 'session-accepted')
    expect(accepted.map(({ session }) => session)).toEqual(['s1', 's2'])
    await hub.close()
  })

  test('an engine that throws ends that session only', async () => {
    const { hub, lines } = await start(
      {},
      {
        openEngine: async (services) => {
          const engine = new EchoEngine(services)
          let first = true
          engine.accept = function (this: EchoEngine, connection: Connection) {
            if (first) {
              first = false
              throw new Error('planted')
            }
            EchoEngine.prototype.accept.call(this, connection)
          }
          return engine
        },
      },
    )
    const connection = await webSocketTransport(hub.url).connect({ signal: AbortSignal.timeout(5_000) })
    await new Promise<void>((resolve) => connection.open({ frame: () => undefined, closed: () => resolve() }))
    expect(lines).toContainEqual(
      expect.objectContaining({ level: 'error', event: 'session-failed', session: 's1' }),
    )
    expect((await ask(hub, 'x')).answer).toBe('anonymous')
    await hub.close()
  })
})

describe('stop', () => {
  test('sessions are told, the port is free, the database is closed last, and a second close is the first', async () => {
    const order: string[] = []
    const storage = new MemoryKeyValueStore()
    const { hub } = await start(
      {},
      {
        openStorage: async () => Object.assign(storage, { close: async () => void order.push('storage') }),
        openEngine: async (services) => {
          const engine = new EchoEngine(services)
          const close = engine.close.bind(engine)
          engine.close = async () => {
            order.push('engine')
            await close()
          }
          return engine
        },
      },
    )
    const session = await ask(hub, 'x')
    const [first, second] = [hub.close(), hub.close()]
    expect(first).toBe(second)
    await Promise.all([first, session.closed])
    expect(order).toEqual(['engine', 'storage'])
    const free = createServer().listen(hub.port, '127.0.0.1')
    await once(free, 'listening')
    free.close()
  })

  test('a request that does not end is cut at the deadline', async () => {
    const { hub, engine } = await start({ drainTimeoutMs: 200 })
    const pack = packOf([chunkOf(1_000)])
    const [grant] = await engine.services
      .blobAuthority(SPACE)
      .grantPuts([{ id: pack.id, length: pack.bytes.length }])
    const socket = connect(hub.port, '127.0.0.1').on('error', () => undefined)
    const { pathname, search } = new URL(grant!.url, hub.url)
    socket.write(
      `PUT ${pathname}${search} HTTP/1.1\r\nHost: x\r\nContent-Length: ${pack.bytes.length}\r\n\r\nab`,
    )
    await new Promise((resolve) => setTimeout(resolve, 50))
    const ended = once(socket, 'close')
    await hub.close()
    await ended
    expect(await engine.services.blobs.stat(SPACE, pack.id)).toBeUndefined()
  })
})

describe('restart', () => {
  test('what was acknowledged before is known after, on a database on disk, and a second hub is kept out', async () => {
    const dataDirectory = await temporaryDirectory()
    const chunks = [chunkOf(10), chunkOf(20_000)]
    const first = await start({ dataDirectory }, { openStorage: openLevelStore })
    await first.engine.services.blobAuthority(SPACE).putInline(chunks)
    await expect(start({ dataDirectory }, { openStorage: openLevelStore })).rejects.toMatchObject({
      code: 'LOCKED',
    })
    await first.hub.close()
    const second = await start({ dataDirectory }, { openStorage: openLevelStore })
    const authority = second.engine.services.blobAuthority(SPACE)
    expect(await authority.need(ids(chunks))).toEqual([])
    expect((await authority.locate(ids(chunks))).chunks).toHaveLength(2)
    expect(second.lines.some(({ event }) => event === 'blob-index-rebuilt')).toBe(false)
    await second.hub.close()
  })
})

test('a server that fails while it runs is a line in the log, and the hub goes on', async () => {
  let server: Server | undefined
  const listen: HubParts['listen'] = (options) => {
    server = options.server
    return webSocketListener(options)
  }
  const { hub, lines } = await start({}, { listen })
  // As node:http does where a connection cannot be accepted: no file descriptors are left.
  server!.emit('error', Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' }))
  expect(lines.filter(({ event }) => event === 'server-failed')).toHaveLength(1)
  expect((await fetch(`${hub.url}/healthz`)).ok).toBe(true)
  await hub.close()
})

describe('a failed start', () => {
  test('leaves nothing open: port in use, engine that fails, unsafe configuration', async () => {
    const busy = createServer().listen(0, '127.0.0.1')
    await once(busy, 'listening')
    const { port } = busy.address() as AddressInfo
    let closed = 0
    const openStorage = async () =>
      Object.assign(new MemoryKeyValueStore(), { close: async () => void closed++ })
    await expect(start({ port }, { openStorage })).rejects.toMatchObject({ code: 'EADDRINUSE' })
    const openEngine = () => Promise.reject(new Error('planted'))
    await expect(start({}, { openStorage, openEngine })).rejects.toThrow('planted')
    expect(closed).toBe(2)
    await expect(start({ host: '0.0.0.0' }, { openStorage })).rejects.toMatchObject({ code: 'UNSAFE_CONFIG' })
    expect(closed).toBe(2)
    busy.close()
  })
})
