import type { ChunkId } from '@tidemark/protocol'
import type { ChunkCache } from './chunk-cache.js'
import type { Pace } from './pace.js'

/** Where an exchange finds chunks for the entries that it sends, and leaves those that came with entries. */
export type InlineChunks = Pick<ChunkCache, 'get' | 'put'>

/**
 * Small chunks that ride along with entries of a device. They wait for no limit, because entries do not, but
 * large bodies make up for them; during a pause none is sent along: it is uploaded after it like any other.
 */
export class RidingChunks implements InlineChunks {
  constructor(
    private readonly cache: ChunkCache,
    private readonly pace: Pace,
  ) {}

  get(id: ChunkId): Uint8Array | undefined {
    if (this.pace.isPaused) return undefined
    const bytes = this.cache.get(id)
    if (bytes) this.pace.up.count(bytes.length)
    return bytes
  }

  put(id: ChunkId, bytes: Uint8Array): void {
    this.pace.down.count(bytes.length)
    this.cache.put(id, bytes)
  }
}
