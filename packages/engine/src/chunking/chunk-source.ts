import { bytesToHex, type ChunkId, concatBytes } from '@tidemark/protocol'
import type { ChunkedFile } from '../binding.js'
import type { ByteSource } from '../ports/byte-source.js'
import type { Hasher } from '../ports/hasher.js'
import { chunkClass, ONE_CHUNK_BYTES_MAX } from './chunk-class.js'
import { ChunkListBuilder } from './chunk-list.js'
import { Cutter } from './cutter.js'
import { HashQueue } from './hash-queue.js'
import { beginsLikeManifestNode } from './manifest-node.js'
import { buildManifest } from './manifest-tree.js'

/** One read, bytes; one more is under way while it is cut. */
const READ_BYTES = 4 * 1024 * 1024

export interface ChunkOptions {
  readonly hasher: Hasher
  readonly signal?: AbortSignal
  /** Bytes a read. The result does not depend on it. @default 4 MiB */
  readonly readBytes?: number
}

/**
 * Divides a source into chunks, hashes them and builds the manifest above them. Equal bytes have an equal
 * root, and equal roots are of equal bytes: a single chunk that looks like a manifest node gets a node of
 * its own above it, because its id alone is also the root of the file which that node describes. Memory: two reads, the chunk that goes on, the chunks that are
 * being hashed (see `HashQueue`), and 36 bytes a chunk.
 *
 * @throws {SourceChangedError} from the source; the signal's reason.
 */
export async function chunkSource(source: ByteSource, options: ChunkOptions): Promise<ChunkedFile> {
  const { signal, hasher } = options
  const { size } = source
  signal?.throwIfAborted()
  if (size <= ONE_CHUNK_BYTES_MAX) return chunkBytes(await source.read(0, size), hasher)
  const cutter = new Cutter(chunkClass(size))
  const builder = new ChunkListBuilder()
  const hashes = new HashQueue(hasher)
  let looksLikeNode = false
  const addChunk = async (bytes: Uint8Array): Promise<void> => {
    const index = builder.add(bytes.length)
    if (index === 0) looksLikeNode = beginsLikeManifestNode(bytes)
    await hashes.add(bytes, (id) => builder.setId(index, id))
  }
  try {
    /** The beginning of a chunk that goes on in the next read. */
    let begun: Uint8Array[] = []
    for await (const bytes of reads(source, options.readBytes ?? READ_BYTES, signal)) {
      let from = 0
      for (let to = cutter.next(bytes, from); to >= 0; to = cutter.next(bytes, from)) {
        const part = bytes.subarray(from, to)
        await addChunk(begun.length === 0 ? part : concatBytes([...begun, part]))
        begun = []
        from = to
      }
      if (from < bytes.length) begun.push(bytes.subarray(from))
    }
    if (begun.length > 0) await addChunk(begun.length === 1 ? begun[0]! : concatBytes(begun))
  } finally {
    await hashes.settled()
  }
  const chunks = builder.build()
  if (chunks.count === 1 && !looksLikeNode) {
    return { root: bytesToHex(chunks.ids) as ChunkId, height: 0, size, chunks, manifest: [] }
  }
  return { ...buildManifest(chunks, size, hasher), size, chunks }
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

/** The whole source in order, the next read already under way. */
async function* reads(
  source: ByteSource,
  readBytes: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const start = (offset: number): Promise<Uint8Array> => {
    const read = source.read(offset, Math.min(readBytes, source.size - offset))
    // It may fail while the read before it is still being cut; then it is reported when its turn comes.
    read.catch(() => undefined)
    return read
  }
  let next = start(0)
  for (let offset = readBytes; ; offset += readBytes) {
    const bytes = await next
    signal?.throwIfAborted()
    if (offset < source.size) next = start(offset)
    yield bytes
    if (offset >= source.size) return
  }
}
