import { bytesToHex, CHUNK_ID_BYTES, type ChunkId } from '@tidemark/protocol'
import type { ChunkList } from '../binding.js'

/** Chunks that a list has room for at first. */
const ROOM_AT_FIRST = 16

/** Grows a `ChunkList`. Chunks may be filled in out of order: their hashes end when they end. */
export class ChunkListBuilder {
  #ids = new Uint8Array(ROOM_AT_FIRST * CHUNK_ID_BYTES)
  #lengths = new Uint32Array(ROOM_AT_FIRST)
  #count = 0

  /** Adds a chunk whose id is not known yet. @returns its index. */
  add(length: number): number {
    if (this.#count === this.#lengths.length) this.#grow()
    this.#lengths[this.#count] = length
    return this.#count++
  }

  setId(index: number, id: Uint8Array): void {
    this.#ids.set(id, index * CHUNK_ID_BYTES)
  }

  /** Precondition: every id was set. */
  build(): ChunkList {
    return {
      count: this.#count,
      ids: this.#ids.slice(0, this.#count * CHUNK_ID_BYTES),
      lengths: this.#lengths.slice(0, this.#count),
    }
  }

  #grow(): void {
    const ids = new Uint8Array(2 * this.#ids.length)
    ids.set(this.#ids)
    this.#ids = ids
    const lengths = new Uint32Array(2 * this.#lengths.length)
    lengths.set(this.#lengths)
    this.#lengths = lengths
  }
}

export function chunkIdAt(chunks: Pick<ChunkList, 'ids'>, index: number): ChunkId {
  const at = index * CHUNK_ID_BYTES
  return bytesToHex(chunks.ids.subarray(at, at + CHUNK_ID_BYTES)) as ChunkId
}
