import { CHUNK_BYTES_MAX, FILE_BYTES_MAX } from '@tidemark/protocol'

/** log2 of the smallest and of the largest average chunk, bytes: 16 KiB and 4 MiB. */
export const CHUNK_CLASS_MIN = 14
export const CHUNK_CLASS_MAX = 22
/** A file up to this many bytes is one chunk. */
export const ONE_CHUNK_BYTES_MAX = 2 ** CHUNK_CLASS_MIN
/** A file of this many chunks of average size is in the middle of its class. */
const CHUNKS_PER_FILE_LOG2 = 14

/** Bounds of the chunks of one class. */
export interface ChunkBounds {
  /** Bytes, but for the last chunk of a file. */
  readonly min: number
  /** Bytes. Up to it cuts are rarer than at `average`, beyond it more frequent. */
  readonly average: number
  /** Bytes. */
  readonly max: number
}

/**
 * The class of a file: log2 of the average size of its chunks. A pure function of the file's size, about
 * size / 16,384. Classes meet at 1.4 times powers of two: no common size lies there.
 *
 * @param size Bytes. @throws {RangeError} not an integer from 0 to FILE_BYTES_MAX.
 */
export function chunkClass(size: number): number {
  if (!Number.isSafeInteger(size) || size < 0 || size > FILE_BYTES_MAX) {
    throw new RangeError(`file size: expected 0 to ${FILE_BYTES_MAX} bytes, not ${size}`)
  }
  let log2 = CHUNK_CLASS_MIN
  // size <= 1.4 x 2^(log2 + 14), in whole numbers: exact in a double for every size.
  while (log2 < CHUNK_CLASS_MAX && 5 * size > 7 * 2 ** (log2 + CHUNKS_PER_FILE_LOG2)) log2++
  return log2
}

export function chunkBounds(chunkClassLog2: number): ChunkBounds {
  const average = 2 ** chunkClassLog2
  return { min: average / 2, average, max: Math.min(4 * average, CHUNK_BYTES_MAX) }
}
