import { bytesToHex, CHUNK_ID_BYTES, type ChunkId } from '@tidemark/protocol'

/** Ids and lengths of consecutive chunks, flat: 36 bytes a chunk however many there are. */
export interface ChunkList {
  readonly count: number
  /** 32 bytes a chunk. */
  readonly ids: Uint8Array
  /** Bytes of each chunk. */
  readonly lengths: Uint32Array
}

/** Chunks that a list has room for at first. */
const ROOM_AT_FIRST = 16

/** Grows a `ChunkList`. Chunks may be filled in out of order: their hashes end when they end. */
export class ChunkListBuilder {
  #ids = new Uint8Array(ROOM_AT_FIRST * CHUNK_ID_BYTES)
  #lengths = new Uint32Array(ROOM_AT_FIRST)
  #count = 0

  get count(): number {
    return this.#count
  }

  /** Consecutive chunks of it. Precondition: their ids were set. */
  slice(first: number, count: number): ChunkList {
    return {
      count,
      ids: this.#ids.slice(first * CHUNK_ID_BYTES, (first + count) * CHUNK_ID_BYTES),
      lengths: this.#lengths.slice(first, first + count),
    }
  }

  lengthAt(index: number): number {
    return this.#lengths[index]!
  }

  /** Adds a chunk whose id is not known yet. @returns its index. */
  add(length: number): number {
    if (this.#count === this.#lengths.length) this.#grow()
    this.#lengths[this.#count] = length
    return this.#count++
  }

  append({ count, ids, lengths }: ChunkList): void {
    for (let i = 0; i < count; i++) {
      this.setId(this.add(lengths[i]!), ids.subarray(i * CHUNK_ID_BYTES, (i + 1) * CHUNK_ID_BYTES))
    }
  }

  setId(index: number, id: Uint8Array): void {
    this.#ids.set(id, index * CHUNK_ID_BYTES)
  }

  /** Precondition: every id was set. */
  build(): ChunkList {
    return this.slice(0, this.#count)
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

/** Bytes. */
export const chunkBytesIn = ({ lengths }: Pick<ChunkList, 'lengths'>): number =>
  lengths.reduce((sum, length) => sum + length, 0)

export function chunkIdAt(chunks: Pick<ChunkList, 'ids'>, index: number): ChunkId {
  const at = index * CHUNK_ID_BYTES
  return bytesToHex(chunks.ids.subarray(at, at + CHUNK_ID_BYTES)) as ChunkId
}
