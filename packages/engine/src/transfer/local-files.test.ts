import { type BlobStore, bytesToHex, type ChunkId, parseSpaceName, StoreError } from '@tidemark/protocol'
import { MemoryBlobStore } from '@tidemark/protocol/memory'
import { expect, test } from 'vitest'
import { seededBytes } from '../../test/bytes.js'
import { repeatedTree } from '../../test/repeated-tree.js'
import { chunkClass } from '../chunking/chunk-class.js'
import { chunkSource } from '../chunking/chunk-source.js'
import { encodeManifestNode } from '../chunking/manifest-node.js'
import { nodeHasher } from '../node/node-hasher.js'
import { bytesSource } from './byte-streams.js'
import { ChunkCache } from './chunk-cache.js'
import { LocalFiles } from './local-files.js'
import { readPieces } from './piece-reader.js'
import { filePieces } from './upload-walk.js'

const SPACE = parseSpaceName('space')
const BYTES = seededBytes(3, 6_000_000)

/** A store whose puts take a turn of the clock, and tell how many ran at once. */
function slowStore(onPut: (count: number) => void = () => undefined) {
  const memory = new MemoryBlobStore({ sha256: nodeHasher.sha256, now: () => 0 })
  const seen = { running: 0, most: 0, count: 0 }
  const put: BlobStore['put'] = async (...blob) => {
    seen.most = Math.max(seen.most, ++seen.running)
    await new Promise((resolve) => setTimeout(resolve, 1))
    seen.running -= 1
    onPut(++seen.count)
    await memory.put(...blob)
  }
  const blobs = new Proxy<BlobStore>(memory, {
    get: (_, name) => (name === 'put' ? put : Reflect.get(memory, name).bind?.(memory)),
  })
  const files = new LocalFiles({ space: SPACE, cache: new ChunkCache(), blobs, hasher: nodeHasher })
  return { files, seen }
}

test('a file is kept chunk by chunk, many at once, and read back by its manifest', async () => {
  const file = await chunkSource(bytesSource(BYTES), { hasher: nodeHasher })
  const { files, seen } = slowStore()
  await files.store(file, bytesSource(BYTES))
  expect(seen.running).toBe(0)
  expect(seen.most).toBeGreaterThan(8)
  expect(seen.most).toBeLessThanOrEqual(64)
  const kept = await files.upload(file)
  const source = await kept.open()
  const read = await source.read(0, BYTES.length)
  expect(bytesToHex(nodeHasher.sha256(read))).toBe(bytesToHex(nodeHasher.sha256(BYTES)))
})

test('the first put that fails is what the call throws, and none goes on behind it', async () => {
  const file = await chunkSource(bytesSource(BYTES), { hasher: nodeHasher })
  const { files, seen } = slowStore((count) => {
    if (count === 5) throw new StoreError('the disk is full', 507)
  })
  await expect(files.store(file, bytesSource(BYTES))).rejects.toMatchObject({ status: 507 })
  const { running, count } = seen
  expect(running).toBe(0)
  expect(count).toBeLessThan(file.chunks.count)
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(seen.count).toBe(count)
})

test('the signal ends it with its reason', async () => {
  const file = await chunkSource(bytesSource(BYTES), { hasher: nodeHasher })
  const abort = new AbortController()
  const { files } = slowStore((count) => count === 3 && abort.abort(new Error('enough')))
  await expect(files.store(file, bytesSource(BYTES), abort.signal)).rejects.toThrow('enough')
})

test('a content that names one chunk in 2^50 places is sent as what it has: a chunk, and a node a level', async () => {
  const { chunks, version } = repeatedTree(5)
  const cache = new ChunkCache()
  for (const { id, bytes } of chunks) cache.put(id, bytes)
  let reads = 0
  const get = cache.get.bind(cache)
  cache.get = (id) => {
    if (++reads > 100) throw new Error('a node is read again and again')
    return get(id)
  }
  const files = new LocalFiles({ space: SPACE, cache, blobs: undefined, hasher: nodeHasher })
  const { file } = await files.upload(version)
  expect(file.manifest).toHaveLength(5)
  expect([file.chunks.count, file.size]).toEqual([1024, 1024])
})

test('what a node names that stands in two places is read from where it is sent from', async () => {
  const cache = new ChunkCache()
  const put = (bytes: Uint8Array) => {
    const id = nodeHasher.sha256(bytes)
    cache.put(bytesToHex(id) as ChunkId, bytes)
    return id
  }
  const chunks = [3, 4, 5].map((length) => ({ length, id: put(seededBytes(length, length)) }))
  const node = (level: number, children: typeof chunks, root?: { chunkClass: number; size: number }) => {
    const lengths = Float64Array.from(children, ({ length }) => length)
    const ids = Buffer.concat(children.map(({ id }) => id))
    const length = lengths.reduce((sum, each) => sum + each, 0)
    return { length, id: put(encodeManifestNode(level, root, ids, lengths)) }
  }
  const twice = node(1, chunks.slice(0, 2))
  const once = node(1, chunks.slice(2))
  const size = 2 * twice.length + once.length
  const root = node(2, [twice, twice, once], { chunkClass: chunkClass(size), size })
  const files = new LocalFiles({ space: SPACE, cache, blobs: undefined, hasher: nodeHasher })
  const kept = await files.upload({ root: bytesToHex(root.id) as ChunkId, height: 2, size })
  expect([kept.file.size, kept.file.chunks.count, kept.file.manifest.length]).toEqual([12, 3, 3])
  const bytes = new Uint8Array(12)
  const pieces = [...filePieces([kept])].filter(({ from }) => from.type === 'source')
  await readPieces(pieces, bytes, nodeHasher, new AbortController().signal)
})
