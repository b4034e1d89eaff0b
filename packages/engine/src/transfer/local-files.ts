import {
  type BlobId,
  type BlobStore,
  type ChunkId,
  ChunksMissingError,
  type SpaceName,
} from '@tidemark/protocol'
import type { ChunkedFile } from '../binding.js'
import { chunkIdAt } from '../chunking/chunk-list.js'
import { readManifest } from '../chunking/read-manifest.js'
import type { Version } from '../core/view-entry.js'
import type { ByteSource } from '../ports/byte-source.js'
import type { Hasher } from '../ports/hasher.js'
import type { ChunkCache } from './chunk-cache.js'
import type { LocalChunks } from './local-chunks.js'

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
    const put = async (id: ChunkId, bytes: Uint8Array): Promise<void> => {
      if (bytes.length > 0) await blobs.put(space, id as string as BlobId, bytes, signal ? { signal } : {})
    }
    let offset = 0
    for (let i = 0; i < file.chunks.count; i++) {
      const length = file.chunks.lengths[i]!
      await put(chunkIdAt(file.chunks, i), await source.read(offset, length))
      offset += length
    }
    for (const { id, bytes } of file.manifest) await put(id, bytes)
  }

  /** A stored file, to read at any place. */
  source({ root, height, size }: Pick<Version, 'root' | 'height' | 'size'>): ByteSource {
    const read = async (offset: number, length: number): Promise<Uint8Array> => {
      const out = new Uint8Array(length)
      const entries = readManifest(root, height, size, {
        hasher: this.parts.hasher,
        fetchNodes: (ids) => Promise.all(ids.map((id) => this.#must(id))),
      })
      for await (const entry of entries) {
        if (entry.offset + entry.length <= offset) continue
        if (entry.offset >= offset + length) break
        const bytes = await this.#must(entry.id)
        const from = Math.max(offset, entry.offset)
        const to = Math.min(offset + length, entry.offset + entry.length)
        out.set(bytes.subarray(from - entry.offset, to - entry.offset), from - offset)
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
