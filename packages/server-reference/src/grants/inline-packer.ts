import { type ChunkId, PACK_BYTES_TARGET } from '@tidemark/protocol'

export interface InlineChunkBytes {
  readonly id: ChunkId
  readonly bytes: Uint8Array
}

/** Chunks in one pack of the hub: bounds its index. */
const CHUNKS_PER_PACK_MAX = 16_384

interface Waiting {
  readonly chunks: readonly InlineChunkBytes[]
  resolve(): void
  reject(error: unknown): void
}

/**
 * Group commit of small chunks: while one pack is being stored, the calls that come gather, and become
 * the next pack together.
 */
export class InlinePacker {
  readonly #waiting: Waiting[] = []
  #running = false

  /** @param store Stores one pack of distinct chunks, durably, and indexes it. */
  constructor(private readonly store: (chunks: readonly InlineChunkBytes[]) => Promise<void>) {}

  /** Resolves when the chunks are durable and indexed. */
  put(chunks: readonly InlineChunkBytes[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ chunks, resolve, reject })
      if (!this.#running) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#running = true
    // Calls of the same turn join the first pack.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const group: Waiting[] = []
      const distinct = new Map<ChunkId, InlineChunkBytes>()
      let bytes = 0
      for (;;) {
        const next = this.#waiting[0]
        if (!next) break
        const more = next.chunks.reduce((sum, chunk) => sum + chunk.bytes.length, 0)
        const full =
          bytes + more > PACK_BYTES_TARGET || distinct.size + next.chunks.length > CHUNKS_PER_PACK_MAX
        if (group.length > 0 && full) break
        group.push(this.#waiting.shift()!)
        for (const chunk of next.chunks) distinct.set(chunk.id, chunk)
        bytes += more
      }
      try {
        await this.store([...distinct.values()])
        for (const waiting of group) waiting.resolve()
      } catch (error) {
        for (const waiting of group) waiting.reject(error)
      }
    }
    this.#running = false
  }
}
