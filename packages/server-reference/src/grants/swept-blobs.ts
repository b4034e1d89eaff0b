import type { ChunkToPack } from '@tidemark/engine'
import type { BlobId, ChunkId } from '@tidemark/protocol'
import type { Removal } from './sweep-index.js'

/** The blobs of one space, as a pass of the sweep reads and changes them. */
export interface SweptBlobs {
  /** Indexes blobs that the index does not name. @throws the signal's reason. */
  reindex(signal: AbortSignal): Promise<void>
  /**
   * Bytes of manifest nodes, verified.
   * @throws {ChunksMissingError}, {ChunkMismatchError}, {DecodeError}, {BlobNotFoundError}, {StoreError}, {RangeError}
   */
  readNodes(ids: readonly ChunkId[]): Promise<readonly Uint8Array[]>
  /** A whole blob, verified; `undefined`: gone or rotten. @throws {StoreError} */
  readBlob(id: BlobId): Promise<Uint8Array | undefined>
  /** Notes what is in a blob of which the index only says that it is there. */
  indexContents(id: BlobId): Promise<void>
  /** These chunks of a blob are in a new one from now on, stored as they were. Precondition: they were verified. */
  rewrite(from: BlobId, chunks: readonly ChunkToPack[]): Promise<void>
  /** From the index, then from the store. @returns false where something in it lives. @throws {StoreError} */
  remove(id: BlobId, removal: Removal): Promise<boolean>
}
