import { bytesToHex, utf8Encode } from '@tidemark/protocol'
import type { ChunkList } from '../../src/chunking/chunk-list.js'
import { sha256 } from './vocabulary.js'

/**
 * Lists of chunks that never existed: chunk i has the id SHA-256(`${seed} ${i}`) and the length
 * `lengthMin + (first two bytes of its id, big-endian) mod lengthSpread`.
 */
export interface ManifestCase {
  readonly name: string
  readonly seed: string
  readonly count: number
  readonly lengthMin: number
  readonly lengthSpread: number
}

export const MANIFEST_CASES: readonly ManifestCase[] = [
  { name: 'two chunks', seed: 'two', count: 2, lengthMin: 9_000, lengthSpread: 100 },
  { name: 'one node of many', seed: 'leaf', count: 90, lengthMin: 8_192, lengthSpread: 57_344 },
  { name: 'two levels', seed: 'levels', count: 2_000, lengthMin: 32_768, lengthSpread: 30_000 },
  {
    name: 'two levels, of large chunks',
    seed: 'large',
    count: 40_000,
    lengthMin: 2_097_152,
    lengthSpread: 65_536,
  },
]

export function chunksOf({ seed, count, lengthMin, lengthSpread }: ManifestCase): ChunkList {
  const ids = new Uint8Array(count * 32)
  const lengths = new Uint32Array(count)
  for (let i = 0; i < count; i++) {
    const id = sha256(utf8Encode(`${seed} ${i}`))
    ids.set(id, i * 32)
    lengths[i] = lengthMin + ((id[0]! * 256 + id[1]!) % lengthSpread)
  }
  return { count, ids, lengths }
}

/** SHA-256 over the ids of all nodes, bottom up, one after the other. */
export const digestOfNodes = (nodes: readonly { readonly bytes: Uint8Array }[]): string =>
  bytesToHex(sha256(Buffer.concat(nodes.map(({ bytes }) => sha256(bytes)))))
