import { bytesToHex, type ChunkId, ChunkMismatchError, DecodeError } from '@tidemark/protocol'
import { HashQueue } from '../chunking/hash-queue.js'
import { plainBytes } from '../chunking/stored-chunk.js'
import type { Compressor } from '../ports/compressor.js'
import type { Hasher } from '../ports/hasher.js'
import type { PlannedChunk, PlannedRange } from './range-plan.js'

export interface FetchedChunk {
  readonly id: ChunkId
  /** Plain and verified. A view on memory that is used again when `deliver` has resolved. */
  readonly bytes: Uint8Array
}

export interface OpenedRange {
  /** By ascending place; neighbours in the blob are neighbours in memory. */
  readonly chunks: readonly FetchedChunk[]
  /** Those that are not what their ids say, or not what was compressed. */
  readonly lies: readonly ChunkMismatchError[]
}

/**
 * The chunks of a range that came, inflated and hashed.
 * @param into At least `inflatedLength` bytes, used where that is not 0.
 */
export async function openRange(
  { offset, chunks, inflatedLength }: PlannedRange,
  bytes: Uint8Array,
  into: Uint8Array,
  { hasher, compressor }: { readonly hasher: Hasher; readonly compressor: Compressor },
): Promise<OpenedRange> {
  const good: FetchedChunk[] = []
  const lies: ChunkMismatchError[] = []
  const hashes = new HashQueue(hasher)
  let at = 0
  try {
    for (const chunk of chunks) {
      const from = chunk.offset - offset
      let part = bytes.subarray(from, from + chunk.storedLength)
      if (inflatedLength > 0) {
        const plain = await inflated(part, chunk, compressor)
        if (plain instanceof ChunkMismatchError) {
          lies.push(plain)
          continue
        }
        part = into.subarray(at, at + chunk.length)
        part.set(plain)
        at += chunk.length
      }
      await hashes.add(part, (digest) => {
        const actual = bytesToHex(digest)
        if (actual === chunk.id) good.push({ id: chunk.id, bytes: part })
        else lies.push(new ChunkMismatchError(chunk.id, actual))
      })
    }
  } finally {
    // Until then its memory is read.
    await hashes.settled()
  }
  good.sort((a, b) => a.bytes.byteOffset - b.bytes.byteOffset)
  return { chunks: good, lies }
}

async function inflated(
  stored: Uint8Array,
  chunk: PlannedChunk,
  compressor: Compressor,
): Promise<Uint8Array | ChunkMismatchError> {
  try {
    return await plainBytes(stored, chunk, compressor)
  } catch (cause) {
    if (cause instanceof DecodeError) return new ChunkMismatchError(chunk.id, 'not deflate', { cause })
    throw cause
  }
}
