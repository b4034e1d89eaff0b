import {
  type BlobId,
  bytesToHex,
  CHUNK_ID_BYTES,
  DecodeError,
  hexToBytes,
  parseBlobId,
} from '@tidemark/protocol'

/** One place of a chunk. */
export interface Locator {
  readonly blob: BlobId
  /** Bytes from the start of the blob. */
  readonly offset: number
  readonly storedLength: number
  /** 0: plain, 1: raw DEFLATE. */
  readonly codec: number
  /** Plain bytes. */
  readonly length: number
}

/** Places kept of one chunk: enough to outlive a lost blob, few enough to bound a row. */
export const LOCATORS_PER_CHUNK_MAX = 8

/** blob (32), offset (4), storedLength (4), codec (1), length (4), big-endian. */
export const LOCATOR_BYTES = CHUNK_ID_BYTES + 13

export function encodeLocators(locators: readonly Locator[]): Uint8Array {
  const bytes = new Uint8Array(locators.length * LOCATOR_BYTES)
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const { blob, offset, storedLength, codec, length } of locators) {
    bytes.set(hexToBytes(blob), at)
    view.setUint32(at + CHUNK_ID_BYTES, offset)
    view.setUint32(at + CHUNK_ID_BYTES + 4, storedLength)
    view.setUint8(at + CHUNK_ID_BYTES + 8, codec)
    view.setUint32(at + CHUNK_ID_BYTES + 9, length)
    at += LOCATOR_BYTES
  }
  return bytes
}

/** @throws {DecodeError} not a whole number of locators. */
export function decodeLocators(bytes: Uint8Array): Locator[] {
  if (bytes.length % LOCATOR_BYTES !== 0) throw new DecodeError('blob index: a damaged list of locators')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const locators: Locator[] = []
  for (let at = 0; at < bytes.length; at += LOCATOR_BYTES) {
    locators.push({
      blob: parseBlobId(bytesToHex(bytes.subarray(at, at + CHUNK_ID_BYTES))),
      offset: view.getUint32(at + CHUNK_ID_BYTES),
      storedLength: view.getUint32(at + CHUNK_ID_BYTES + 4),
      codec: view.getUint8(at + CHUNK_ID_BYTES + 8),
      length: view.getUint32(at + CHUNK_ID_BYTES + 9),
    })
  }
  return locators
}

/** Whether one of these encoded locators is in the blob. */
export function hasPlaceIn(blob: BlobId, locators: Uint8Array): boolean {
  const id = hexToBytes(blob)
  for (let at = 0; at < locators.length; at += LOCATOR_BYTES) {
    let same = 0
    while (same < CHUNK_ID_BYTES && locators[at + same] === id[same]) same += 1
    if (same === CHUNK_ID_BYTES) return true
  }
  return false
}
