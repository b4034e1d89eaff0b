import type { BlobId } from '@tidemark/protocol'
import {
  decodeLocators,
  encodeLocators,
  hasPlaceIn,
  LOCATOR_BYTES,
  LOCATORS_PER_CHUNK_MAX,
  type Locator,
} from './locator.js'

/** What the index knows of a chunk. Times are of `Uptime`. */
export interface ChunkRow {
  /** Last time that a register was found to name it, somebody was told that it is here, or it was stored. */
  readonly usedMs: number
  /** Since when nothing needs it; 0: something may. */
  readonly condemnedMs: number
  /** The pass that has marked, as a manifest node, what is below it; 0: none. */
  readonly walkedMs: number
  /** Encoded locators: few who look at a row want them. */
  readonly places: Uint8Array
}

/** usedMs (6), condemnedMs (6), walkedMs (6), big-endian. */
const HEADER_BYTES = 18

export function encodeChunkRow({ usedMs, condemnedMs, walkedMs, places }: ChunkRow): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + places.length)
  const view = new DataView(bytes.buffer)
  writeTime(view, 0, usedMs)
  writeTime(view, 6, condemnedMs)
  writeTime(view, 12, walkedMs)
  bytes.set(places, HEADER_BYTES)
  return bytes
}

/** A row from before there were times has places only. */
export function decodeChunkRow(bytes: Uint8Array): ChunkRow {
  if (bytes.length % LOCATOR_BYTES === 0) return { usedMs: 0, condemnedMs: 0, walkedMs: 0, places: bytes }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return {
    usedMs: readTime(view, 0),
    condemnedMs: readTime(view, 6),
    walkedMs: readTime(view, 12),
    places: bytes.subarray(HEADER_BYTES),
  }
}

export const placesOf = (row: ChunkRow): Locator[] => decodeLocators(row.places)

export const isIn = (blob: BlobId, row: ChunkRow): boolean => hasPlaceIn(blob, row.places)

/** With this place before all others, and none in the blobs that are left out. */
export const withPlace = (row: ChunkRow, place: Locator, ...leftOut: readonly BlobId[]): ChunkRow => {
  const others = placesOf(row).filter(({ blob }) => blob !== place.blob && !leftOut.includes(blob))
  return { ...row, places: encodeLocators([place, ...others].slice(0, LOCATORS_PER_CHUNK_MAX)) }
}

export const withoutPlace = (row: ChunkRow, blob: BlobId): ChunkRow => ({
  ...row,
  places: encodeLocators(placesOf(row).filter((place) => place.blob !== blob)),
})

/** Of a chunk that has just come. */
export const newRow = (usedMs: number): ChunkRow => ({
  usedMs,
  condemnedMs: 0,
  walkedMs: 0,
  places: new Uint8Array(),
})

export function writeTime(view: DataView, at: number, ms: number): void {
  view.setUint16(at, Math.floor(ms / 2 ** 32))
  view.setUint32(at + 2, ms % 2 ** 32)
}

export const readTime = (view: DataView, at: number): number =>
  view.getUint16(at) * 2 ** 32 + view.getUint32(at + 2)
