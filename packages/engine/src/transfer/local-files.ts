import {
  type BlobId,
  type BlobStore,
  type ChunkId,
  ChunksMissingError,
  hexToBytes,
  type SpaceName,
} from '@tidemark/protocol'
import type { ChunkedFile, Upload } from '../binding.js'
import type { ChunkList } from '../chunking/chunk-list.js'
import { ChunkListBuilder, chunkBytesIn, chunkIdAt } from '../chunking/chunk-list.js'
import { eachNodeOnce, readManifest } from '../chunking/read-manifest.js'
import type { Version } from '../core/view-entry.js'
import { Budget } from '../memory/budget.js'
import type { ByteSource } from '../ports/byte-source.js'
import type { Hasher } from '../ports/hasher.js'
import type { ChunkCache } from './chunk-cache.js'
import type { LocalChunks } from './local-chunks.js'
import { TaskGroup } from './task-group.js'

/** Chunks that are stored at once: a store that waits for its disk waits for many of them together. */
const PUTS_MAX = 64
const PUT_BYTES_MAX = 16 * 1024 * 1024
/** Read from a source at once. */
const WINDOW_BYTES = 1024 * 1024

/** Chunks of one space on this device: in memory those that just came, and one blob a chunk in a blob store. */
export class LocalFiles implements Pick<LocalChunks, 'get'> {
  constructor(
    private readonly parts: {
      readonly space: SpaceName
      readonly cache: ChunkCache
      readonly blobs: BlobStore | undefined
      readonly hasher: Hasher
    },
  ) {}

  async get(id: ChunkId): Promise<Uint8Array | undefined> {
    const { space, cache, blobs } = this.parts
    const kept = cache.get(id)
    if (kept || !blobs) return kept
    // A chunk is stored as it is: its id is the blob's.
    const blob = id as string as BlobId
    const length = await blobs.stat(space, blob)
    return length === undefined ? undefined : blobs.read(space, blob, { offset: 0, length })
  }

  /** Keeps every chunk and manifest node of a file, durably. */
  async store(file: ChunkedFile, source: ByteSource, signal?: AbortSignal): Promise<void> {
    const { space, blobs } = this.parts
    if (!blobs) throw new TypeError('the replica has no blob store')
    const group = new TaskGroup(signal)
    const puts = new Budget(PUT_BYTES_MAX, PUTS_MAX)
    const put = async (id: ChunkId, bytes: Uint8Array): Promise<void> => {
      if (bytes.length === 0) return
      const release = await puts.take(bytes.length, group.signal)
      const options = { signal: group.signal }
      group.spawn(() => blobs.put(space, id as string as BlobId, bytes, options).finally(release))
    }
    await group.run(async () => {
      for await (const { id, bytes } of chunksOf(file.chunks, source)) await put(id, bytes)
      for (const { id, bytes } of file.manifest) await put(id, bytes)
    })
  }

  /**
   * What a hub needs of a stored file, by its manifest: the chunks below each node once, wherever that stands, back to
   * back; `size` is theirs. They are not read before somebody needs their bytes. Memory: 44 bytes a chunk, and the
   * manifest.
   *
   * @throws {ChunksMissingError} a node is not here; {DecodeError}, {ChunkMismatchError} one is damaged.
   */
  async upload({ root, height, size }: Pick<Version, 'root' | 'height' | 'size'>): Promise<Upload> {
    const nodes: { id: ChunkId; bytes: Uint8Array }[] = []
    const list = new ChunkListBuilder()
    const entries = readManifest(root, height, size, {
      hasher: this.parts.hasher,
      fetchNodes: async (ids) => {
        const found = await Promise.all(ids.map((id) => this.#must(id)))
        for (const [i, bytes] of found.entries()) nodes.push({ id: ids[i]!, bytes })
        return found
      },
      skips: eachNodeOnce(),
    })
    for await (const { id, length } of entries) list.setId(list.add(length), hexToBytes(id))
    const chunks = list.build()
    // Read from the root down, stored from the chunks up.
    const file = { root, height, size: chunkBytesIn(chunks), chunks, manifest: nodes.reverse() }
    return { file, open: async () => this.#source(chunks, file.size) }
  }

  /** Bytes as they are stored: whoever reads them hashes. */
  #source(chunks: ChunkList, size: number): ByteSource {
    const starts = startsOf(chunks)
    const read = async (offset: number, length: number): Promise<Uint8Array> => {
      const out = new Uint8Array(length)
      const end = offset + length
      for (let i = lastAtMost(starts, offset); i < chunks.count && starts[i]! < end; i++) {
        const start = starts[i]!
        const bytes = await this.#must(chunkIdAt(chunks, i))
        out.set(bytes.subarray(Math.max(offset - start, 0), end - start), Math.max(start - offset, 0))
      }
      return out
    }
    return { size, read, close: async () => undefined }
  }

  async #must(id: ChunkId): Promise<Uint8Array> {
    const bytes = await this.get(id)
    if (!bytes) throw new ChunksMissingError([id])
    return bytes
  }
}

/** Chunks of a source, in order; a source is asked for many small ones at once. */
async function* chunksOf(
  chunks: ChunkList,
  source: ByteSource,
): AsyncGenerator<{ readonly id: ChunkId; readonly bytes: Uint8Array }> {
  for (let i = 0, offset = 0; i < chunks.count; ) {
    const first = i
    let windowBytes = 0
    do windowBytes += chunks.lengths[i++]!
    while (i < chunks.count && windowBytes + chunks.lengths[i]! <= WINDOW_BYTES)
    const window = await source.read(offset, windowBytes)
    offset += windowBytes
    for (let at = 0, j = first; j < i; j++) {
      const end = at + chunks.lengths[j]!
      yield { id: chunkIdAt(chunks, j), bytes: window.subarray(at, end) }
      at = end
    }
  }
}

/** Where each chunk begins in the file, bytes. */
function startsOf({ count, lengths }: ChunkList): Float64Array {
  const starts = new Float64Array(count)
  for (let i = 1; i < count; i++) starts[i] = starts[i - 1]! + lengths[i - 1]!
  return starts
}

/** @returns the index of the last start that is not above `offset`. */
function lastAtMost(starts: Float64Array, offset: number): number {
  let low = 0
  let high = starts.length
  while (high - low > 1) {
    const middle = (low + high) >>> 1
    if (starts[middle]! <= offset) low = middle
    else high = middle
  }
  return low
}
