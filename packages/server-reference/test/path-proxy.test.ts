import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, request, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryKeyValueStore, openReplica, type Replica, type Space } from '@tidemark/engine'
import { nodePlatform } from '@tidemark/engine/node'
import { webSocketTransport } from '@tidemark/transport-ws'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createHub, type Hub } from '../src/index.js'

const TOKEN = 'secret'
let home: string
let hub: Hub
let proxy: Server
const replicas: Replica[] = []

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'tidemark-path-proxy-'))
  hub = await createHub({ dataDirectory: join(home, 'hub'), port: 0, token: TOKEN })
  proxy = strippingProxy('/a', hub.port)
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
})
afterEach(async () => {
  for (const replica of replicas.splice(0)) await replica.close()
  await hub.close()
  proxy.closeAllConnections()
  proxy.close()
  await rm(home, { recursive: true, force: true })
})

/** Passes on what is below `prefix`, without it; answers 404 to everything else. */
function strippingProxy(prefix: string, port: number): Server {
  const server = createServer((from, to) => {
    const { url, method, headers } = from
    if (!url?.startsWith(`${prefix}/`)) return to.writeHead(404).end()
    const path = url.slice(prefix.length)
    const passed = request({ host: '127.0.0.1', port, path, method, headers }, (answer) => {
      to.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(to)
    })
    passed.on('error', () => to.destroy())
    from.pipe(passed)
    return undefined
  })
  return server.on('upgrade', (from, client, head) => {
    const upstream = connect(port, '127.0.0.1')
    const lines = [`GET ${from.url?.slice(prefix.length)} HTTP/1.1`]
    for (let i = 0; i < from.rawHeaders.length; i += 2) {
      lines.push(`${from.rawHeaders[i]}: ${from.rawHeaders[i + 1]}`)
    }
    upstream.write(`${lines.join('\r\n')}\r\n\r\n`)
    upstream.write(head)
    for (const socket of [client, upstream]) {
      socket.on('error', () => undefined)
      socket.on('close', () => {
        client.destroy()
        upstream.destroy()
      })
    }
    client.pipe(upstream).pipe(client)
  })
}

async function device(url: string): Promise<Space> {
  const replica = await openReplica({ storage: new MemoryKeyValueStore(), platform: nodePlatform })
  replicas.push(replica)
  replica.connect(webSocketTransport(url), { token: TOKEN })
  return replica.openSpace('photos')
}

test('[TR1] large files come and go through a proxy that takes a part of the path away', async () => {
  const { port } = proxy.address() as AddressInfo
  const a = await device(`http://127.0.0.1:${port}/a/sync`)
  const b = await device(hub.url)
  const signal = AbortSignal.timeout(15_000)
  const bytes = Buffer.alloc(3_000_000, 'through the proxy')
  await a.write('up.bin', bytes, { signal })
  await a.settled({ signal })
  await b.settled({ signal })
  expect(bytes.equals(await b.readFile('up.bin', { signal }))).toBe(true)
  await b.write('down.bin', bytes.subarray(1), { signal })
  await b.settled({ signal })
  await expect.poll(() => a.stat('down.bin')).toBeDefined()
  expect(bytes.subarray(1).equals(await a.readFile('down.bin', { signal }))).toBe(true)
})
