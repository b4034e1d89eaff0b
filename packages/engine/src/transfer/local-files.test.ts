import { type BlobStore, bytesToHex, parseSpaceName, StoreError } from '@tidemark/protocol'
import { MemoryBlobStore } from '@tidemark/protocol/memory'
import { expect, test } from 'vitest'
import { seededBytes } from '../../test/bytes.js'
import { chunkSource } from '../chunking/chunk-source.js'
import { nodeHasher } from '../node/node-hasher.js'
import { bytesSource } from './byte-streams.js'
import { ChunkCache } from './chunk-cache.js'
import { LocalFiles } from './local-files.js'

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
