import { createCipheriv, createHash } from 'node:crypto'
import { join } from 'node:path'
import {
  type ByteSource,
  openReplica,
  type Platform,
  type Replica,
  type ReplicaOptions,
  type Space,
} from '@tidemark/engine'
import { nodePlatform, openLevelStore } from '@tidemark/engine/node'
import { fsBlobStore } from '@tidemark/store-fs'
import { webSocketTransport } from '@tidemark/transport-ws'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createHub, type Hub } from '../src/index.js'
import { temporaryDirectory } from './fixture.js'

const MIB = 2 ** 20
const TOKEN = 'secret'
let home: string
let hub: Hub
/** Bytes of bodies that were put since it was set to 0. */
let bytesSent = 0
const replicas: Replica[] = []

const platform: Platform = {
  ...nodePlatform,
  blobClient: (baseUrl) => {
    const client = nodePlatform.blobClient(baseUrl)
    return {
      get: (grant, range, options) => client.get(grant, range, options),
      put: (grant, body, options) => {
        bytesSent += body.length
        return client.put(grant, body, options)
      },
      close: () => client.close(),
    }
  },
}

beforeEach(async () => {
  home = await temporaryDirectory()
  hub = await createHub({ dataDirectory: join(home, 'hub'), port: 0, token: TOKEN })
})
afterEach(async () => {
  for (const replica of replicas.splice(0)) await replica.close()
  await hub.close()
})

interface Opened {
  readonly replica: Replica
  readonly space: Space
}

async function offline(name: string, options: Pick<ReplicaOptions, 'blobs'> = {}): Promise<Opened> {
  const storage = await openLevelStore(join(home, name))
  const replica = await openReplica({ storage, platform, ...options })
  replicas.push(replica)
  return { replica, space: await replica.openSpace('photos') }
}

/** A program that keeps no bytes of its own. */
async function program(name: string): Promise<Opened> {
  const opened = await offline(name)
  opened.replica.connect(webSocketTransport(hub.url), { token: TOKEN })
  return opened
}

/** Remembers what was read of it. */
class Source implements ByteSource {
  bytesRead = 0
  readonly size: number

  constructor(private readonly bytes: Uint8Array) {
    this.size = bytes.length
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    this.bytesRead += length
    return this.bytes.slice(offset, offset + length)
  }

  async close(): Promise<void> {}
}

/** The key stream of AES in counter mode. */
const bytesOf = (seed: string, length: number): Buffer =>
  createCipheriv('aes-256-ctr', createHash('sha256').update(seed).digest(), Buffer.alloc(16)).update(
    Buffer.alloc(length),
  )

const stored = async (space: Space, path: string): Promise<Buffer> => {
  await space.settled({ signal: AbortSignal.timeout(20_000) })
  return Buffer.from(await space.readFile(path))
}

/** Writes until `durableBytes` are at the hub, then ends as a crash does. */
async function cutAt(durableBytes: number, source: Source, fingerprint?: string): Promise<void> {
  const { replica, space } = await program('writer')
  const abort = new AbortController()
  const writing = space.write('large.bin', source, {
    signal: abort.signal,
    onProgress: (bytes) => bytes >= durableBytes && abort.abort(new Error('cut')),
    ...(fingerprint === undefined ? {} : { fingerprint }),
  })
  await expect(writing).rejects.toThrow('cut')
  await replica.close()
  bytesSent = 0
}

test('a large file that was written offline is read once for its upload, and not to be chunked again', async () => {
  const bytes = bytesOf('large', 10 * MIB)
  const blobs = fsBlobStore({ directory: join(home, 'blobs') })
  let bytesRead = 0
  const read = blobs.read.bind(blobs)
  blobs.read = (space, id, range, options) => {
    bytesRead += range.length
    return read(space, id, range, options)
  }
  const { replica, space } = await offline('writer', { blobs })
  await space.write('large.bin', bytes)
  bytesRead = 0
  replica.connect(webSocketTransport(hub.url), { token: TOKEN })
  await space.settled({ signal: AbortSignal.timeout(20_000) })
  expect(bytesRead).toBeLessThan(bytes.length + MIB)
  expect((await stored((await program('reader')).space, 'large.bin')).equals(bytes)).toBe(true)
})

test('a large write that was cut is read on from where it was, with a fingerprint', async () => {
  const bytes = bytesOf('large', 60 * MIB)
  await cutAt(24 * MIB, new Source(bytes), 'one')
  const again = new Source(bytes)
  const { space } = await program('writer')
  const progress: number[] = []
  await space.write('large.bin', again, { fingerprint: 'one', onProgress: (done) => progress.push(done) })
  expect(again.bytesRead).toBeLessThanOrEqual(bytes.length - 24 * MIB)
  expect(progress).toEqual([...progress].sort((a, b) => a - b))
  expect(progress.at(-1)).toBe(bytes.length)
  expect(bytesSent).toBeLessThan(bytes.length - 23 * MIB)
  expect((await stored((await program('reader')).space, 'large.bin')).equals(bytes)).toBe(true)
})

test('of other bytes under another fingerprint nothing is taken for what was there before', async () => {
  const bytes = bytesOf('large', 40 * MIB)
  await cutAt(16 * MIB, new Source(bytes), 'one')
  const edited = Buffer.from(bytes)
  edited[3 * MIB]! ^= 1
  const again = new Source(edited)
  const { space } = await program('writer')
  await space.write('large.bin', again, { fingerprint: 'two' })
  expect(again.bytesRead).toBe(edited.length)
  expect((await stored((await program('reader')).space, 'large.bin')).equals(edited)).toBe(true)
})

test('without a fingerprint it is read from its start, once, and what the hub has is not sent again', async () => {
  const bytes = bytesOf('large', 40 * MIB)
  await cutAt(16 * MIB, new Source(bytes))
  const again = new Source(bytes)
  const { space } = await program('writer')
  await space.write('large.bin', again)
  expect(again.bytesRead).toBe(bytes.length)
  expect(bytesSent).toBeLessThan(bytes.length - 15 * MIB)
  expect((await stored((await program('reader')).space, 'large.bin')).equals(bytes)).toBe(true)
})
