import type { ChunkId } from '@tidemark/protocol'

/** Chunks at hand: inline bytes that rode along with entries, before their file is on disk. */
export interface LocalChunks {
  /** What was put under this id, if it is still there. Whoever reads it hashes it. */
  get(id: ChunkId): Promise<Uint8Array | undefined>
  put(id: ChunkId, bytes: Uint8Array): Promise<void>
}
