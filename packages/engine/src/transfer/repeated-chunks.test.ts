import { expect, test } from 'vitest'
import { repeatedTree } from '../../test/repeated-tree.js'
import { world } from '../../test/transfer-fixture.js'
import { Downloader } from './downloader.js'

/** A hub that has the tree, and a device that counts the manifest nodes it looks at. */
async function downloadOf(height: number) {
  const it = world()
  const { chunks, version } = repeatedTree(height)
  await it.hub.addPack(chunks)
  const seen = { nodes: 0 }
  const hasher: typeof it.hasher = {
    sha256: (bytes) => {
      seen.nodes += 1
      return it.hasher.sha256(bytes)
    },
    sha256Async: (bytes) => it.hasher.sha256Async(bytes),
  }
  return { downloader: new Downloader({ ...it, hasher }), version, seen }
}

test.each([2, 5])(
  'a chunk that stands everywhere (height %d) is written before all places are known',
  async (height) => {
    const { downloader, version, seen } = await downloadOf(height)
    const ending = new AbortController()
    let nodesBefore = 0
    const sink = {
      write: async () => {
        nodesBefore ||= seen.nodes
        ending.abort(new Error('enough'))
      },
    }
    await expect(downloader.fetch(version, sink, { signal: ending.signal })).rejects.toThrow('enough')
    expect(nodesBefore).toBeLessThan(20)
  },
)

test.each([2, 5])('the end of a file (height %d) is read without what stands before it', async (height) => {
  const { downloader, version, seen } = await downloadOf(height)
  const range = { start: version.size - 10, end: version.size }
  const parts: Uint8Array[] = []
  for await (const part of downloader.stream(version, range)) parts.push(part)
  expect(Buffer.concat(parts)).toEqual(Buffer.alloc(10, 7))
  expect(seen.nodes).toBeLessThan(20)
})

test.each([2, 5])('a file of tiny chunks (height %d) is streamed a few of them at a time', async (height) => {
  const { downloader, version, seen } = await downloadOf(height)
  for await (const part of downloader.stream(version, { start: 0, end: version.size })) {
    expect(part.length).toBeGreaterThan(0)
    break
  }
  expect(seen.nodes).toBeLessThan(20)
})
