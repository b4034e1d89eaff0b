import { BLOB_BYTES_MAX, type BlobId, type ChunkId, type Grant, type Located } from '@tidemark/protocol'

/** Chunks that one request brings. */
export interface PlannedRange {
  readonly blob: BlobId
  readonly grant: Grant
  /** Bytes from the start of the blob. */
  readonly offset: number
  readonly length: number
  /** By ascending offset, not overlapping. */
  readonly chunks: readonly PlannedChunk[]
}

export interface PlannedChunk {
  readonly id: ChunkId
  /** Bytes from the start of the blob. */
  readonly offset: number
  readonly length: number
}

export interface RangeBounds {
  /** Bytes of a range; one chunk may be longer. */
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
    const isPossible =
      codec === 0 && storedLength === length && offset >= 0 && offset + length <= BLOB_BYTES_MAX
    if (!isPossible || !(blob in located.blobs) || placed.has(id) || !isWanted(id, length)) continue
    placed.add(id)
    const chunks = byBlob.get(blob) ?? []
    byBlob.set(blob, chunks)
    chunks.push({ id, offset, length })
  }
  return [...byBlob].flatMap(([blob, chunks]) => {
    const { id, grant } = located.blobs[blob]!
    return coalesce(chunks, bounds).map((range) => ({ blob: id, grant, ...range }))
  })
}

function coalesce(
  chunks: readonly PlannedChunk[],
  { rangeBytesMax, gapBytesMax }: RangeBounds,
): Pick<PlannedRange, 'offset' | 'length' | 'chunks'>[] {
  const ranges: { offset: number; length: number; chunks: PlannedChunk[] }[] = []
  for (const chunk of [...chunks].sort((a, b) => a.offset - b.offset)) {
    const last = ranges.at(-1)
    const gap = last ? chunk.offset - (last.offset + last.length) : Number.NaN
    if (last && gap >= 0 && gap <= gapBytesMax && last.length + gap + chunk.length <= rangeBytesMax) {
      last.length += gap + chunk.length
      last.chunks.push(chunk)
    } else {
      ranges.push({ offset: chunk.offset, length: chunk.length, chunks: [chunk] })
    }
  }
  return ranges
}
