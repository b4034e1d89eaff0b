import type { ChunkId } from '@tidemark/protocol'

/**
 * Small chunks that were just written or just came: they ride along with entries, and a reader finds
 * them without a request. Least recently used ones go first.
 */
export class ChunkCache {
  readonly #bytesMax: number
  readonly #chunks = new Map<ChunkId, Uint8Array>()
  #bytes = 0

  /** @param bytesMax Bytes kept. @default 32 MiB: what a burst of small files needs, far below a device's ceiling */
  constructor(bytesMax = 32 * 1024 * 1024) {
    this.#bytesMax = bytesMax
  }

  get(id: ChunkId): Uint8Array | undefined {
    const bytes = this.#chunks.get(id)
    if (bytes === undefined) return undefined
    this.#chunks.delete(id)
    this.#chunks.set(id, bytes)
    return bytes
  }

  /** Precondition: the bytes hash to the id. Kept as they are; the caller does not change them any more. */
  put(id: ChunkId, bytes: Uint8Array): void {
    if (this.#chunks.has(id) || bytes.length > this.#bytesMax) return
    // A view of a large frame would keep the frame alive.
    const own = bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice()
    this.#chunks.set(id, own)
    this.#bytes += own.length
    for (const [oldest, old] of this.#chunks) {
      if (this.#bytes <= this.#bytesMax) break
      this.#chunks.delete(oldest)
      this.#bytes -= old.length
    }
  }
}
