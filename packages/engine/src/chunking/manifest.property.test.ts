import { type ChunkId, ChunkMismatchError, DecodeError, LimitError } from '@tidemark/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { seededBytes } from '../../test/bytes.js'
import { nodeHasher as hasher } from '../node/node-hasher.js'
import type { ChunkList } from './chunk-list.js'
import { decodeManifestNode, encodeManifestNode, MANIFEST_CHILDREN_MAX } from './manifest-node.js'
import { buildManifest } from './manifest-tree.js'
import { type ManifestEntry, readManifest } from './read-manifest.js'

function listOf(count: number, length = 20_000, seed = 5): ChunkList {
  return { count, ids: seededBytes(seed, 32 * count), lengths: new Uint32Array(count).fill(length) }
}

const sizeOf = ({ lengths }: ChunkList): number => lengths.reduce((sum, length) => sum + length, 0)

type Built = ReturnType<typeof buildManifest>

async function readAll(
  built: Pick<Built, 'root' | 'height'>,
  size: number,
  nodes: ReadonlyMap<string, Uint8Array>,
): Promise<ManifestEntry[]> {
  const entries: ManifestEntry[] = []
  const fetchNodes = async (ids: readonly ChunkId[]) => ids.map((id) => nodes.get(id)!)
  for await (const entry of readManifest(built.root, built.height, size, { hasher, fetchNodes }))
    entries.push(entry)
  return entries
}

const nodesOf = ({ manifest }: Pick<Built, 'manifest'>) =>
  new Map<string, Uint8Array>(manifest.map((n) => [n.id, n.bytes]))

describe('manifest', () => {
  test.each([2, 63, 64, 65, 1_024, 1_025, 5_000, 100_000])(
    '%d chunks are read back in order',
    async (count) => {
      const list = listOf(count)
      const built = buildManifest(list, sizeOf(list), hasher)
      const entries = await readAll(built, sizeOf(list), nodesOf(built))
      expect(entries.length).toBe(count)
      expect(Buffer.from(entries.map(({ id }) => id).join(''), 'hex').equals(list.ids)).toBe(true)
      expect(entries.at(-1)!.offset + entries.at(-1)!.length).toBe(sizeOf(list))
    },
  )

  test.each([0, 255])('chunks with all the same id (bytes %d) end in one root', (byte) => {
    const list = { ...listOf(70_000), ids: new Uint8Array(32 * 70_000).fill(byte) }
    const built = buildManifest(list, sizeOf(list), hasher)
    expect(built.height).toBeLessThanOrEqual(4)
    for (const { bytes } of built.manifest) {
      expect(decodeManifestNode(bytes).children.length).toBeLessThanOrEqual(MANIFEST_CHILDREN_MAX)
    }
  })

  test('a node has about 256 children', () => {
    const list = listOf(200_000)
    const leaves = buildManifest(list, sizeOf(list), hasher).manifest.filter(({ bytes }) => bytes[5] === 1)
    expect(200_000 / leaves.length).toBeGreaterThan(200)
    expect(200_000 / leaves.length).toBeLessThan(300)
  })

  test('the reader asks for few nodes at a time, each once', async () => {
    const list = listOf(100_000)
    const built = buildManifest(list, sizeOf(list), hasher)
    const nodes = nodesOf(built)
    let most = 0
    let asked = 0
    const fetchNodes = async (ids: readonly ChunkId[]) => {
      most = Math.max(most, ids.length)
      asked += ids.length
      return ids.map((id) => nodes.get(id)!)
    }
    for await (const _ of readManifest(built.root, built.height, sizeOf(list), { hasher, fetchNodes }));
    expect(most).toBeLessThanOrEqual(16)
    expect(asked).toBe(nodes.size)
  })

  test('a node with other bytes than its id is a ChunkMismatchError', async () => {
    const list = listOf(3_000)
    const built = buildManifest(list, sizeOf(list), hasher)
    const nodes = nodesOf(built)
    const wrong = nodes.get(built.manifest[1]!.id)!.slice()
    wrong[100]! ^= 1
    nodes.set(built.manifest[1]!.id, wrong)
    await expect(readAll(built, sizeOf(list), nodes)).rejects.toBeInstanceOf(ChunkMismatchError)
  })

  test('size, height, level and lengths that contradict each other are a DecodeError', async () => {
    const list = listOf(3_000)
    const size = sizeOf(list)
    const built = buildManifest(list, size, hasher)
    expect(built.height).toBe(2)
    const nodes = nodesOf(built)
    await expect(readAll(built, size + 1, nodes)).rejects.toBeInstanceOf(DecodeError)
    await expect(readAll({ ...built, height: 1 }, size, nodes)).rejects.toBeInstanceOf(DecodeError)
    await expect(readAll({ ...built, height: 3 }, size, nodes)).rejects.toBeInstanceOf(DecodeError)
    await expect(readAll({ ...built, height: 17 }, size, nodes)).rejects.toBeInstanceOf(DecodeError)
    // An inner node in the place of the root, and the root of another file in the place of an inner node.
    const inner = built.manifest[0]!.id
    await expect(readAll({ root: inner, height: 1 }, size, nodes)).rejects.toBeInstanceOf(DecodeError)
    const leaf = buildManifest(listOf(10), 200_000, hasher)
    const ids = Buffer.from(leaf.root, 'hex')
    for (const length of [200_000, 199_999]) {
      const bytes = encodeManifestNode(2, { chunkClass: 14, size: length }, ids, [length])
      const root = Buffer.from(hasher.sha256(bytes)).toString('hex') as ChunkId
      const all = new Map([...nodesOf(leaf), [root as string, bytes]])
      await expect(readAll({ root, height: 2 }, length, all)).rejects.toBeInstanceOf(DecodeError)
    }
  })

  test('any bytes are a node in its one encoding, or a typed failure', () => {
    const valid = buildManifest(listOf(200), sizeOf(listOf(200)), hasher).manifest[0]!.bytes
    const damaged = fc
      .array(fc.record({ at: fc.nat(valid.length - 1), byte: fc.nat(255) }), { minLength: 1, maxLength: 4 })
      .map((edits) => {
        const bytes = valid.slice()
        for (const { at, byte } of edits) bytes[at < 20 ? at : at % 40] = byte
        return bytes
      })
    const cut = fc.nat(valid.length).map((length) => valid.subarray(0, length))
    const prefixed = fc
      .uint8Array({ maxLength: 80 })
      .map((tail) => Buffer.concat([valid.subarray(0, 5), tail]))
    fc.assert(
      fc.property(fc.oneof(damaged, cut, prefixed, fc.uint8Array({ maxLength: 100 })), (bytes) => {
        try {
          const { level, root, children } = decodeManifestNode(bytes)
          const ids = Buffer.from(children.map(({ id }) => id).join(''), 'hex')
          const again = encodeManifestNode(
            level,
            root,
            ids,
            children.map(({ length }) => length),
          )
          expect(Buffer.from(again).equals(bytes)).toBe(true)
        } catch (error) {
          if (!(error instanceof DecodeError) && !(error instanceof LimitError)) throw error
        }
      }),
      { numRuns: 3_000 },
    )
  })

  test.each([
    ['an empty child', -1, 0],
    ['no children', 7, 0],
    ['level 0', 5, 0],
    ['level 17', 5, 17],
    ['version 2', 4, 2],
    ['a class that is none', 6, 13],
  ])('%s is refused', (_, at, byte) => {
    const bytes = encodeManifestNode(1, undefined, seededBytes(1, 64), [5, 6])
    decodeManifestNode(bytes)
    bytes.set([byte], at < 0 ? bytes.length + at : at)
    expect(() => decodeManifestNode(bytes)).toThrow(/manifest node/)
  })

  test('a longer form of a number, and bytes after the end, are refused: equal nodes are equal bytes', () => {
    const bytes = encodeManifestNode(1, undefined, seededBytes(1, 64), [5, 6])
    const padded = Buffer.concat([bytes.subarray(0, -1), Uint8Array.of(6 | 128, 0)])
    expect(() => decodeManifestNode(padded)).toThrow(DecodeError)
    expect(() => decodeManifestNode(Buffer.concat([bytes, Uint8Array.of(0)]))).toThrow(DecodeError)
  })
})
