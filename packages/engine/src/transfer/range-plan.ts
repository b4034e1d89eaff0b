import {
  BLOB_BYTES_MAX,
  type BlobId,
  CHUNK_BYTES_MAX,
  type ChunkId,
  type Grant,
  type Located,
} from '@tidemark/protocol'
import { flawOf, PLAIN, type StoredForm } from '../chunking/stored-chunk.js'

/** Chunks that one request brings. */
export interface PlannedRange {
  readonly blob: BlobId
  readonly grant: Grant
  /** Bytes from the start of the blob. */
  readonly offset: number
  readonly length: number
  /** By ascending offset, not overlapping. */
  readonly chunks: readonly PlannedChunk[]
  /** Plain bytes of all its chunks; 0: none is compressed, and they are used where they came. */
  readonly inflatedLength: number
}

export interface PlannedChunk extends StoredForm {
  readonly id: ChunkId
  /** Bytes from the start of the blob. */
  readonly offset: number
}

export interface RangeBounds {
  /** Bytes of a range, and plain bytes of its chunks; one chunk may be longer. */
  readonly rangeBytesMax: number
  /** Bytes between two chunks that may be read and thrown away rather than asked around. */
  readonly gapBytesMax: number
}

/**
 * The fewest ranges that bring these chunks. A place that cannot be (outside the blob, an unknown codec,
 * not the length that is wanted) is left out: its chunk has no place.
 *
 * @param isWanted Whether this chunk is wanted, and may have this many bytes.
 */
export function planRanges(
  located: Pick<Located, 'blobs' | 'chunks'>,
  isWanted: (id: ChunkId, length: number) => boolean,
  bounds: RangeBounds,
): PlannedRange[] {
  const byBlob = new Map<number, PlannedChunk[]>()
  const placed = new Set<ChunkId>()
  for (const { id, blob, offset, storedLength, codec, length } of located.chunks) {
    const form = { codec, storedLength, length }
    const isInBlob = offset >= 0 && offset + storedLength <= BLOB_BYTES_MAX
    const isPossible = flawOf(form) === undefined && length <= CHUNK_BYTES_MAX && isInBlob
    if (!isPossible || !(blob in located.blobs) || placed.has(id) || !isWanted(id, length)) continue
    placed.add(id)
    const chunks = byBlob.get(blob) ?? []
    byBlob.set(blob, chunks)
    chunks.push({ id, offset, ...form })
  }
  return [...byBlob].flatMap(([blob, chunks]) => {
    const { id, grant } = located.blobs[blob]!
    return coalesce(chunks, bounds).map((range) => ({ blob: id, grant, ...range }))
  })
}

function coalesce(
  chunks: readonly PlannedChunk[],
  { rangeBytesMax, gapBytesMax }: RangeBounds,
): Omit<PlannedRange, 'blob' | 'grant'>[] {
  const ranges: { offset: number; length: number; plain: number; chunks: PlannedChunk[] }[] = []
  for (const chunk of [...chunks].sort((a, b) => a.offset - b.offset)) {
    const last = ranges.at(-1)
    const gap = last ? chunk.offset - (last.offset + last.length) : Number.NaN
    const { offset, storedLength, length } = chunk
    const fits = (range: { length: number; plain: number }): boolean =>
      range.length + gap + storedLength <= rangeBytesMax && range.plain + length <= rangeBytesMax
    if (last && gap >= 0 && gap <= gapBytesMax && fits(last)) {
      last.length += gap + storedLength
      last.plain += length
      last.chunks.push(chunk)
    } else {
      ranges.push({ offset, length: storedLength, plain: length, chunks: [chunk] })
    }
  }
  return ranges.map(({ plain, ...range }) => {
    const isCompressed = range.chunks.some(({ codec }) => codec !== PLAIN)
    return { ...range, inflatedLength: isCompressed ? plain : 0 }
  })
}
