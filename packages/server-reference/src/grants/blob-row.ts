import type { PackedChunk } from '@tidemark/engine'
import { bytesToHex, CHUNK_ID_BYTES, type ChunkId, DecodeError, writeHex } from '@tidemark/protocol'
import { readTime, writeTime } from './chunk-row.js'

/** What the index knows of a blob. Times are of `Uptime`. */
export interface BlobRow {
  /** Since then each chunk in it is used. */
  readonly freshMs: number
  /** What lives of it was moved into another blob; 0: nothing was. */
  readonly emptiedMs: number
}

/** A chunk as it stands in a blob: the same one may stand there twice. */
export interface Content {
  readonly id: ChunkId
  /** Bytes. */
  readonly storedLength: number
}

/** version (1), freshMs (6), emptiedMs (6), big-endian. */
const ROW_BYTES = 13
const VERSION = 1
/** id (32), storedLength (4), big-endian. */
const CONTENT_BYTES = CHUNK_ID_BYTES + 4

export function encodeBlobRow({ freshMs, emptiedMs }: BlobRow): Uint8Array {
  const view = new DataView(new ArrayBuffer(ROW_BYTES))
  view.setUint8(0, VERSION)
  writeTime(view, 1, freshMs)
  writeTime(view, 7, emptiedMs)
  return new Uint8Array(view.buffer)
}

/** A row from before there were times says that the blob is there. */
export function decodeBlobRow(bytes: Uint8Array): BlobRow {
  if (bytes.length < ROW_BYTES) return { freshMs: 0, emptiedMs: 0 }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return { freshMs: readTime(view, 1), emptiedMs: readTime(view, 7) }
}

export function encodeContents(contents: readonly Pick<PackedChunk, 'id' | 'storedLength'>[]): Uint8Array {
  const bytes = new Uint8Array(contents.length * CONTENT_BYTES)
  const view = new DataView(bytes.buffer)
  for (const [i, { id, storedLength }] of contents.entries()) {
    writeHex(id, bytes, i * CONTENT_BYTES)
    view.setUint32(i * CONTENT_BYTES + CHUNK_ID_BYTES, storedLength)
  }
  return bytes
}

/** @throws {DecodeError} not a whole number of chunks. */
export function decodeContents(bytes: Uint8Array): Content[] {
  if (bytes.length % CONTENT_BYTES !== 0) throw new DecodeError('blob index: a damaged list of chunks')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: bytes.length / CONTENT_BYTES }, (_, i) => ({
    id: bytesToHex(bytes.subarray(i * CONTENT_BYTES, i * CONTENT_BYTES + CHUNK_ID_BYTES)) as ChunkId,
    storedLength: view.getUint32(i * CONTENT_BYTES + CHUNK_ID_BYTES),
  }))
}
