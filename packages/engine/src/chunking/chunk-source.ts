import { bytesToHex, type ChunkId } from '@tidemark/protocol'
import type { ChunkedFile } from '../binding.js'
import { Budget } from '../memory/budget.js'
import { LentBuffers } from '../memory/lent-buffers.js'
import type { ByteSource } from '../ports/byte-source.js'
import type { Gear } from '../ports/gear.js'
import type { Hasher } from '../ports/hasher.js'
import { ONE_CHUNK_BYTES_MAX } from './chunk-class.js'
import { chunkWindows, type Window } from './chunk-windows.js'
import { beginsLikeManifestNode } from './manifest-node.js'
import { buildManifest } from './manifest-tree.js'

export interface ChunkOptions {
  readonly hasher: Hasher
  /** @default see `systemGear` */
  readonly gear?: Gear | undefined
  readonly signal?: AbortSignal
  /** Bytes a read. The result does not depend on it. @default 1 MiB */
  readonly readBytes?: number
}

/**
 * Divides a source into chunks, hashes them and builds the manifest above them. Equal bytes have an equal
 * root, and equal roots are of equal bytes: a single chunk that looks like a manifest node gets a node of
 * its own above it, because its id alone is also the root of the file which that node describes. Memory:
 * two windows (see `chunkWindows`), and 36 bytes a chunk.
 *
 * @throws {SourceChangedError} from the source; the signal's reason.
 */
export async function chunkSource(source: ByteSource, options: ChunkOptions): Promise<ChunkedFile> {
  const { signal, hasher } = options
  signal?.throwIfAborted()
  if (source.size <= ONE_CHUNK_BYTES_MAX) return chunkBytes(await source.read(0, source.size), hasher)
  // One is hashed while the next one is filled.
  const memory = new LentBuffers(new Budget(Number.POSITIVE_INFINITY, 2))
  const onWindow = (window: Window): void => {
    const done = (): void => memory.give(window.memory)
    void window.chunks().then(done, done)
  }
  return chunkWindows(source, { ...options, memory, onWindow })
}

/**
 * A file of one chunk, at once. As `chunkSource` would have it.
 *
 * @throws {RangeError} more than ONE_CHUNK_BYTES_MAX bytes: such a file is chunked by `chunkSource`.
 */
export function chunkBytes(bytes: Uint8Array, hasher: Hasher): ChunkedFile {
  const size = bytes.length
  if (size > ONE_CHUNK_BYTES_MAX)
    throw new RangeError(`one chunk: at most ${ONE_CHUNK_BYTES_MAX} bytes, not ${size}`)
  const id = hasher.sha256(bytes)
  const chunks = { count: 1, ids: id, lengths: Uint32Array.of(size) }
  if (beginsLikeManifestNode(bytes)) return { ...buildManifest(chunks, size, hasher), size, chunks }
  return { root: bytesToHex(id) as ChunkId, height: 0, size, chunks, manifest: [] }
}
