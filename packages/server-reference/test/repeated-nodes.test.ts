import { MemoryKeyValueStore, PackFormat } from '@tidemark/engine'
import { nodePlatform } from '@tidemark/engine/node'
import { fsBlobStore } from '@tidemark/store-fs'
import { expect, test } from 'vitest'
import { repeatedTree } from '../../engine/test/repeated-tree.js'
import { BlobIndex, HubBlobAuthority } from '../src/index.js'
import { keptLog, SPACE, temporaryDirectory, uptime } from './fixture.js'

async function hubWith({ chunks }: ReturnType<typeof repeatedTree>) {
  const blobs = fsBlobStore({ directory: await temporaryDirectory() })
  const authority = new HubBlobAuthority({
    space: SPACE,
    blobs,
    index: new BlobIndex(new MemoryKeyValueStore(), uptime),
    packs: new PackFormat(nodePlatform.hasher, nodePlatform.compressor),
    hasher: nodePlatform.hasher,
    logger: keptLog().logger,
  })
  await authority.putInline(chunks)
  const seen = { reads: 0 }
  const read = blobs.read.bind(blobs)
  blobs.read = (...args) => {
    seen.reads += 1
    return read(...args)
  }
  return { authority, seen }
}

test.each([2, 5])(
  'a hub reads each node of a content once, wherever it stands (height %d)',
  async (height) => {
    const tree = repeatedTree(height)
    const { authority, seen } = await hubWith(tree)
    expect(await authority.lacking([tree.version])).toEqual([])
    expect(seen.reads).toBe(height)
  },
)

test('a node that stands there once with another length than it has makes the content lacking', async () => {
  const tree = repeatedTree(2)
  const { authority } = await hubWith(tree)
  const wrong = { ...tree.version, size: tree.version.size - 1 }
  expect(await authority.lacking([wrong])).toEqual([wrong])
})

test('a hub that ends does not look through the rest of a content', async () => {
  const tree = repeatedTree(2)
  const { authority, seen } = await hubWith(tree)
  const ending = AbortSignal.abort(new Error('stopping'))
  await expect(authority.lacking([tree.version], ending)).rejects.toThrow('stopping')
  expect(seen.reads).toBe(0)
})
