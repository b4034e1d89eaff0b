import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import {
  type ChunkId,
  decodeMessage,
  type Entries,
  encodeMessage,
  encodePreamble,
  FRAME_BYTES_MAX,
  type Grant,
  type Hlc,
  type Message,
  NO_SWEEP,
  type NodeEntry,
  type NodeId,
  parseBlobId,
  parseChunkId,
  parseNodeId,
  parseReplicaId,
  parseRunId,
  ROOT,
} from '@tidemark/protocol'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Hub, type Running, until, World } from './support/processes.js'
import { RawPeer } from './support/raw-peer.js'
import { readTree } from './support/trees.js'

const HLC: Hlc = { ms: 1_700_000_000_000, counter: 0 }
const CONTEXT = { vector: new Map(), except: [] }
const RID = parseReplicaId('badbadbadbadbad0')
const RUN = parseRunId('badbadbadbadbad1')

const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex')
const nodeId = (): NodeId => parseNodeId(randomBytes(16).toString('hex'))

let seq = 0
function directory(id: NodeId, name: string, parent: NodeId = ROOT): NodeEntry {
  const loc = [
    { dot: { rid: RID, seq: ++seq }, ctx: CONTEXT, hlc: HLC, value: { parent, name, dead: false } },
  ]
  return { id, kind: 'dir', loc, content: [], attr: [] }
}

const entries = (list: readonly NodeEntry[], changes: Partial<Entries> = {}): Entries => ({
  type: 'entries',
  channel: 1,
  run: RUN,
  lseq: 1,
  entries: list,
  inline: [],
  ...changes,
})

/** A frame with some bytes exchanged for as many others: says what an honest encoder refuses to. */
function forged(frame: Uint8Array, from: string | Buffer, to: string | Buffer): Uint8Array {
  const [search, replacement] = [Buffer.from(from), Buffer.from(to)]
  const bytes = Buffer.from(frame)
  const at = bytes.indexOf(search)
  if (at < 0 || search.length !== replacement.length) throw new Error('nothing to forge')
  replacement.copy(bytes, at)
  return bytes
}

const READER = 'token-of-a-reader'

let world: World
let hub: Hub
let left: Running
let folders: [string, string]
beforeAll(async () => {
  world = new World()
  const reader = { token: READER, subject: 'reader', spaces: '*', access: 'read' }
  writeFileSync(world.path('tokens.json'), JSON.stringify({ tokens: [reader] }))
  hub = await world.hub(0, ['--tokens', world.path('tokens.json')])
  folders = [world.path('a'), world.path('b')]
  for (const folder of folders) mkdirSync(folder)
  writeFileSync(join(folders[0], 'honest.txt'), 'honest')
  left = world.live(folders[0], hub)
  world.live(folders[1], hub)
  await until('the honest file arrives', () => existsSync(join(folders[1], 'honest.txt')))
})
afterAll(() => world.close())

let peer: RawPeer
let honest = 0
afterEach(async () => {
  peer?.close()
  // After every attack the hub serves the others, and nothing of the attack shows.
  const text = `honest ${++honest}`
  writeFileSync(join(folders[0], 'honest.txt'), text)
  await until('the honest edit arrives', () => textOf(join(folders[1], 'honest.txt')) === text)
  expect(Object.keys(readTree(folders[1]))).toEqual(['honest.txt'])
  expect(left.child.exitCode).toBeNull()
  expect(hub.child.exitCode).toBeNull()
  expect((await fetch(`${hub.url}/healthz`)).status).toBe(200)
})

async function expectFault(...codes: string[]): Promise<void> {
  const fault = await peer.ended()
  expect(codes).toContain(fault?.code)
}

/** The old file is moved aside before the new one is renamed in: between the two there is none. */
function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

describe('before the handshake', () => {
  test('[SE1] random bytes are no Tidemark', async () => {
    for (let i = 0; i < 20; i++) {
      peer = await RawPeer.dial(hub)
      peer.raw(randomBytes(1 + i * 50))
      await expectFault('BAD_MAGIC')
    }
  })

  test('[SE1] another major version is refused by name', async () => {
    peer = await RawPeer.dial(hub)
    const preamble = Buffer.from(encodePreamble())
    preamble[preamble.length - 1] = 99
    peer.raw(preamble)
    await expectFault('VERSION')
  })

  test('[SE1] no common minor, and a required feature that the hub lacks, end the session', async () => {
    peer = await RawPeer.dial(hub)
    peer.raw(encodePreamble())
    peer.say(peer.hello({ minor: [98, 99] }))
    await expectFault('VERSION')
    peer = await RawPeer.dial(hub)
    peer.raw(encodePreamble())
    peer.say(peer.hello({ required: ['no-such-feature'] }))
    await expectFault('FEATURE')
  })

  test('[SE1] a wrong token, and none, are refused and nothing is served', async () => {
    for (const token of ['guessed', '']) {
      peer = await RawPeer.dial(hub)
      peer.raw(encodePreamble())
      const { token: _, ...anonymous } = peer.hello()
      peer.say(token === '' ? anonymous : { ...anonymous, token })
      peer.raw(openFrame())
      await expectFault('UNAUTHENTICATED')
      expect(peer.received.filter(({ type }) => type !== 'hello' && type !== 'fault')).toEqual([])
    }
  })

  test('[SE1] anything but HELLO comes too early', async () => {
    peer = await RawPeer.dial(hub)
    peer.raw(encodePreamble())
    peer.raw(openFrame())
    await expectFault('UNEXPECTED_MESSAGE')
  })

  test('[SE1] a text frame ends the socket', async () => {
    peer = await RawPeer.dial(hub)
    peer.raw('hello')
    await peer.ended()
  })

  test('[SE1] bytes that are not HTTP, and connections that say nothing, disturb nobody', async () => {
    const sockets = Array.from({ length: 50 }, (_, i) => {
      const socket = connect(hub.port, '127.0.0.1')
      socket.on('error', () => undefined)
      if (i % 2 === 0) socket.write(randomBytes(200))
      return socket
    })
    await until('all are connected or gone', () => sockets.every((socket) => !socket.connecting))
    for (const socket of sockets) socket.destroy()
  })
})

function openFrame(): Uint8Array {
  const none = new Map()
  return encodeMessage({
    type: 'open',
    space: 'default' as never,
    channel: 1,
    frontier: none,
    remembered: none,
    met: none,
    own: none,
    floor: none,
    acked: none,
    number: 1,
    answers: 0,
    sweep: NO_SWEEP,
  })
}

describe('frames that are no messages', () => {
  test('[DC1] random bytes after the handshake are a DECODE or LIMIT fault', async () => {
    for (let i = 0; i < 20; i++) {
      peer = await RawPeer.greeted(hub)
      peer.raw(Buffer.concat([Buffer.from([0x92]), randomBytes(1 + i * 20)]))
      await expectFault('DECODE', 'LIMIT')
    }
  })

  test('[DC1] every truncation of a good frame is a DECODE fault', async () => {
    const frame = encodeMessage(entries([directory(nodeId(), 'truncated')]))
    const step = Math.ceil(frame.length / 25)
    for (let length = 0; length < frame.length; length += step) {
      peer = await RawPeer.opened(hub)
      peer.raw(frame.subarray(0, length))
      await expectFault('DECODE')
    }
  })

  test('[DC1] lengths of 4 GiB are refused before anything is allocated', async () => {
    const huge = [0xff, 0xff, 0xff, 0xff]
    const frames = [
      [0xdd, ...huge],
      [0x92, 0x04, 0xdf, ...huge],
      [0x92, 0x04, 0xc6, ...huge],
      [0x92, 0x04, 0xdb, ...huge],
      [0x92, 0x04, 0x81, 0x03, 0xdd, ...huge],
    ]
    for (const frame of frames) {
      peer = await RawPeer.opened(hub)
      peer.raw(Buffer.from(frame))
      await expectFault('DECODE', 'LIMIT')
    }
  })

  test('[DC1] a frame over the limit ends the socket', async () => {
    peer = await RawPeer.opened(hub)
    peer.raw(Buffer.alloc(FRAME_BYTES_MAX + 1))
    await peer.ended()
  })

  test('[DC1] a deeply nested unknown field is refused', async () => {
    peer = await RawPeer.opened(hub)
    const nested = Buffer.alloc(60_000, 0x91)
    peer.raw(Buffer.concat([Buffer.from([0x92, 0x04, 0x81, 0x3f]), nested, Buffer.from([0xc0])]))
    await expectFault('DECODE', 'LIMIT')
  })
})

describe('messages out of order', () => {
  test('[SE1] a second HELLO and a channel that was never opened', async () => {
    peer = await RawPeer.greeted(hub)
    peer.say(peer.hello())
    await expectFault('UNEXPECTED_MESSAGE')
    peer = await RawPeer.greeted(hub)
    peer.say(entries([directory(nodeId(), 'early')]))
    await expectFault('UNKNOWN_CHANNEL')
    peer = await RawPeer.opened(hub)
    peer.say(entries([directory(nodeId(), 'elsewhere')], { channel: 77 }))
    await expectFault('UNKNOWN_CHANNEL')
  })

  test('[AC2] a reader that sends an entry, or claims a frontier, is refused, and nothing of it is kept', async () => {
    const sync: Message = {
      type: 'sync-point',
      channel: 1,
      run: RUN,
      lseq: 1,
      frontier: new Map([[RID, 1]]),
      met: new Map([[RID, 1]]),
      lost: [],
      floor: new Map(),
    }
    for (const message of [entries([directory(nodeId(), 'not allowed')]), sync]) {
      peer = await RawPeer.opened(hub, 'default', READER)
      expect(peer.received.find(({ type }) => type === 'open')).toMatchObject({ readOnly: true })
      peer.say(message)
      await expectFault('FORBIDDEN')
    }
    peer = await RawPeer.opened(hub)
    expect(JSON.stringify(peer.entries.map(({ loc }) => loc[0]?.value.name))).not.toContain('not allowed')
  })

  test('[SE1] a hub is not told what it lacks', async () => {
    peer = await RawPeer.opened(hub)
    peer.say({ type: 'want', channel: 1, versions: [] })
    await expectFault('UNEXPECTED_MESSAGE')
  })

  test('[SE1] an answer that nobody waits for changes nothing', async () => {
    peer = await RawPeer.opened(hub)
    peer.say({ type: 'needed', request: 5, chunks: [] })
    peer.say({ type: 'ping', nonce: 17 })
    await until('the hub answers', () => peer.received.some((message) => message.type === 'pong'))
  })

  test('[EX11] a frontier from the future is unfounded', async () => {
    peer = await RawPeer.opened(hub)
    peer.say({
      type: 'sync-point',
      channel: 1,
      run: RUN,
      lseq: 1,
      frontier: new Map([[RID, 1_000_000]]),
      met: new Map([[RID, 1_000_000]]),
      lost: [],
      floor: new Map(),
    })
    await expectFault('FRONTIER_UNFOUNDED')
  })
})

describe('entries that no honest peer sends', () => {
  const placeholder = 'QQQQQQQQ'

  test.each([
    ['a parent step', '../QQQQQ'],
    ['a slash', 'a/QQQQQQ'],
    ['an absolute path', '/QQQQQQQ'],
    ['NUL', '\0QQQQQQQ'],
    ['bytes that are not UTF-8', Buffer.from([0xff, 0xfe, 0xc0, 0x80, 0x51, 0x51, 0x51, 0x51])],
    ['a form that is not NFC', 'QQQQQe\u0301'],
  ])('[SE1] a name with %s is refused', async (_, name) => {
    peer = await RawPeer.opened(hub)
    peer.raw(forged(encodeMessage(entries([directory(nodeId(), placeholder)])), placeholder, name))
    await expectFault('DECODE', 'BAD_ENTRY', 'INVALID_NAME')
  })

  test.each(['..', '.'])('[SE1] the name %s is refused', async (name) => {
    peer = await RawPeer.opened(hub)
    const stand = 'Q'.repeat(name.length)
    const frame = encodeMessage(entries([directory(nodeId(), stand)]))
    const header = Buffer.from([0xa0 + name.length])
    peer.raw(
      forged(frame, Buffer.concat([header, Buffer.from(stand)]), Buffer.concat([header, Buffer.from(name)])),
    )
    await expectFault('DECODE', 'BAD_ENTRY', 'INVALID_NAME')
  })

  test('[SE1] the reserved directory and registers of the root are refused', async () => {
    peer = await RawPeer.opened(hub)
    peer.say(entries([directory(nodeId(), '.tidemark')]))
    await expectFault('BAD_ENTRY', 'DECODE')
    peer = await RawPeer.opened(hub)
    peer.say(entries([directory(ROOT, 'root')]))
    await expectFault('BAD_ENTRY', 'DECODE')
  })

  test('[SE1] a second kind for a known id is refused', async () => {
    peer = await RawPeer.opened(hub)
    const known = peer.entries.find(({ kind }) => kind === 'file')!
    peer.say(entries([directory(known.id, 'now a directory')]))
    await expectFault('KIND_CHANGED')
  })

  test('[SE1] ids of another length are refused', async () => {
    peer = await RawPeer.opened(hub)
    const id = nodeId()
    const frame = encodeMessage(entries([directory(id, 'x')]))
    const bytes = Buffer.from(id, 'hex')
    peer.raw(
      forged(
        frame,
        Buffer.concat([Buffer.from([0xc4, 16]), bytes]),
        Buffer.concat([Buffer.from([0xc4, 15]), bytes]),
      ),
    )
    await expectFault('DECODE')
  })

  test('[SE1] a frame with one bad entry is refused whole: the good ones before it are not applied', async () => {
    peer = await RawPeer.opened(hub)
    peer.say(entries([directory(nodeId(), 'good'), directory(nodeId(), '.tidemark')]))
    await expectFault('BAD_ENTRY', 'DECODE')
    peer = await RawPeer.opened(hub)
    const names = peer.entries.flatMap(({ loc }) => loc.map(({ value }) => value.name))
    expect(names).not.toContain('good')
  })
})

describe('bytes that are not what they claim', () => {
  const wrong: ChunkId = parseChunkId(sha256('something else'))

  test('[TR1] inline bytes that do not hash to their id end the session with the entries unapplied', async () => {
    peer = await RawPeer.opened(hub)
    const inline = [{ id: wrong, bytes: Buffer.from('not that') }]
    peer.say(entries([directory(nodeId(), 'with bytes')], { inline }))
    await expectFault('CHUNK_MISMATCH')
  })

  test('[TR1] a put-inline with other bytes fails and stores nothing', async () => {
    peer = await RawPeer.opened(hub)
    peer.say({
      type: 'put-inline',
      request: 1,
      channel: 1,
      chunks: [{ id: wrong, bytes: Buffer.from('not that') }],
    })
    expect(await peer.answerTo(1)).toMatchObject({ type: 'fault' })
    peer.say({ type: 'need', request: 2, channel: 1, chunks: [wrong] })
    expect(await peer.answerTo(2)).toMatchObject({ type: 'needed', chunks: [wrong] })
  })

  test('[TR1] the store refuses other bytes, other lengths and other blobs than the grant names', async () => {
    peer = await RawPeer.opened(hub)
    const body = randomBytes(1_000)
    const id = parseBlobId(sha256(body))
    peer.say({ type: 'grant-puts', request: 1, channel: 1, blobs: [{ id, length: body.length }] })
    const granted = await peer.answerTo(1)
    const [grant] = (granted as { grants: readonly (Grant | null)[] }).grants
    const url = new URL(grant!.url, hub.url)
    const put = async (target: URL, bytes: Uint8Array<ArrayBuffer>): Promise<number> => {
      const { 'content-length': _, ...headers } = grant!.headers
      return (await fetch(target, { method: 'PUT', body: bytes, headers })).status
    }
    const other = randomBytes(1_000)
    expect(await put(url, other)).toBe(400)
    expect(await put(url, body.subarray(1))).toBeGreaterThanOrEqual(400)
    const elsewhere = new URL(url.href.replace(id, sha256(other)))
    expect(await put(elsewhere, other)).toBeGreaterThanOrEqual(400)
    const longer = new URL(url)
    longer.searchParams.set('expires', String(Number(url.searchParams.get('expires')) + 1))
    expect(await put(longer, body)).toBeGreaterThanOrEqual(400)
    expect((await fetch(url)).status).toBeGreaterThanOrEqual(400)
    peer.say({ type: 'stored', request: 2, channel: 1, blobs: [id] })
    expect(await peer.answerTo(2)).toMatchObject({ type: 'stored-result', blobs: [] })
  })

  test('[TR1] a blob that is stored but is no pack counts as nothing', async () => {
    peer = await RawPeer.opened(hub)
    const body = randomBytes(5_000)
    const id = parseBlobId(sha256(body))
    peer.say({ type: 'grant-puts', request: 1, channel: 1, blobs: [{ id, length: body.length }] })
    const granted = await peer.answerTo(1)
    const [grant] = (granted as { grants: readonly (Grant | null)[] }).grants
    const { 'content-length': _, ...headers } = grant!.headers
    expect((await fetch(new URL(grant!.url, hub.url), { method: 'PUT', body, headers })).ok).toBe(true)
    peer.say({ type: 'stored', request: 2, channel: 1, blobs: [id] })
    const answer = await peer.answerTo(2)
    if (answer.type === 'stored-result') expect(answer.blobs).toEqual([])
    else expect(answer).toMatchObject({ type: 'fault', request: 2 })
  })

  test('[TR1] bytes cannot be fetched without a grant, whatever the path', async () => {
    for (const path of [
      '/v1/blobs/default/x',
      `/v1/blobs/default/${wrong}`,
      '/v1/blobs/../../etc/passwd',
      '/%2e%2e/x',
    ]) {
      expect((await fetch(`${hub.url}${path}`)).status, path).toBeGreaterThanOrEqual(400)
    }
  })
})

test('[SE1] a flood of requests without reading the answers is bounded and others are served', async () => {
  peer = await RawPeer.opened(hub)
  const chunks = Array.from({ length: 1_000 }, () => parseChunkId(randomBytes(32).toString('hex')))
  const frame = encodeMessage({ type: 'need', request: 1, channel: 1, chunks })
  expect(decodeMessage(frame).type).toBe('need')
  peer.socket.pause()
  for (let i = 0; i < 500; i++) peer.raw(frame)
  const rss = () =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${hub.child.pid}/status`, 'utf8'))?.[1]) / 1024
  if (existsSync('/proc/self/status')) expect(rss()).toBeLessThan(500)
})
