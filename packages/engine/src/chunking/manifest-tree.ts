import { bytesToHex, CHUNK_ID_BYTES, type ChunkId } from '@tidemark/protocol'
import type { ChunkedFile } from '../binding.js'
import type { Hasher } from '../ports/hasher.js'
import { chunkClass } from './chunk-class.js'
import type { ChunkList } from './chunk-list.js'
import { encodeManifestNode, MANIFEST_CHILDREN_MAX, type ManifestRoot } from './manifest-node.js'

/** A node ends no earlier: each level has at most 1/64 of the nodes of the one below, whatever the ids. */
const CHILDREN_MIN = 64
/** After the minimum one id in 192 ends a node: 256 children on average. */
const BOUNDARY_BELOW = Math.floor(2 ** 32 / 192)

type Level = { readonly ids: Uint8Array; readonly lengths: ArrayLike<number> }
type Nodes = ChunkedFile['manifest'][number][]

/**
 * The Merkle tree over the chunks of a file. Which children share a node depends on their ids, so an edit
 * changes the nodes on its path to the root and few others (prolly tree).
 *
 * @param size Sum of the chunks' lengths, bytes. Precondition: at least one chunk.
 */
export function buildManifest(
  chunks: ChunkList,
  size: number,
  hasher: Hasher,
): Pick<ChunkedFile, 'root' | 'height' | 'manifest'> {
  const nodes: Nodes = []
  const root: ManifestRoot = { chunkClass: chunkClass(size), size }
  let level: Level = chunks
  for (let height = 1; ; height++) {
    const ends = boundaries(level)
    level = addNodes(level, ends, height, ends.length === 1 ? root : undefined, nodes, hasher)
    if (ends.length === 1) return { root: nodes.at(-1)!.id, height, manifest: nodes }
  }
}

/** Indexes behind the last child of each node. */
function boundaries({ ids, lengths }: Level): number[] {
  const view = new DataView(ids.buffer, ids.byteOffset, ids.byteLength)
  const ends: number[] = []
  let start = 0
  for (let i = 0; i < lengths.length; i++) {
    const count = i + 1 - start
    const isBoundary = count >= CHILDREN_MIN && view.getUint32(i * CHUNK_ID_BYTES) < BOUNDARY_BELOW
    if (!isBoundary && count < MANIFEST_CHILDREN_MAX && i + 1 < lengths.length) continue
    ends.push(i + 1)
    start = i + 1
  }
  return ends
}

/** @returns the level above, made of the new nodes. */
function addNodes(
  { ids, lengths }: Level,
  ends: readonly number[],
  height: number,
  root: ManifestRoot | undefined,
  nodes: Nodes,
  hasher: Hasher,
): Level {
  const idsAbove = new Uint8Array(ends.length * CHUNK_ID_BYTES)
  const lengthsAbove = new Float64Array(ends.length)
  let start = 0
  for (const [n, end] of ends.entries()) {
    const own = Array.prototype.slice.call(lengths, start, end) as number[]
    const bytes = encodeManifestNode(
      height,
      root,
      ids.subarray(start * CHUNK_ID_BYTES, end * CHUNK_ID_BYTES),
      own,
    )
    const digest = hasher.sha256(bytes)
    nodes.push({ id: bytesToHex(digest) as ChunkId, bytes })
    idsAbove.set(digest, n * CHUNK_ID_BYTES)
    lengthsAbove[n] = own.reduce((sum, length) => sum + length, 0)
    start = end
  }
  return { ids: idsAbove, lengths: lengthsAbove }
}
