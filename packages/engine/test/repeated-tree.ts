import { createHash } from 'node:crypto'
import type { ChunkId } from '@tidemark/protocol'
import { chunkClass } from '../src/chunking/chunk-class.js'
import { encodeManifestNode, MANIFEST_CHILDREN_MAX } from '../src/chunking/manifest-node.js'

/**
 * A content of one byte, MANIFEST_CHILDREN_MAX ** height times, by one node a level: a few KiB that are valid, and
 * that name more chunks than anybody can walk. With 5 levels it has FILE_BYTES_MAX bytes.
 */
export function repeatedTree(height: number) {
  const chunks: { id: ChunkId; bytes: Uint8Array }[] = []
  const add = (bytes: Uint8Array): Buffer => {
    const id = createHash('sha256').update(bytes).digest()
    chunks.push({ id: id.toString('hex') as ChunkId, bytes })
    return id
  }
  let child = add(Uint8Array.of(7))
  let length = 1
  for (let level = 1; level <= height; level++) {
    const ids = Buffer.concat(Array.from({ length: MANIFEST_CHILDREN_MAX }, () => child))
    const size = MANIFEST_CHILDREN_MAX * length
    const root = level === height ? { chunkClass: chunkClass(size), size } : undefined
    child = add(encodeManifestNode(level, root, ids, new Float64Array(MANIFEST_CHILDREN_MAX).fill(length)))
    length = size
  }
  return { chunks, version: { root: child.toString('hex') as ChunkId, height, size: length } }
}
