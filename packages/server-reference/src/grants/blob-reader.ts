import type { Hasher } from '@tidemark/engine'
import {
  BLOB_BYTES_MAX,
  type BlobId,
  BlobNotFoundError,
  type BlobStore,
  bytesToHex,
  type SpaceName,
} from '@tidemark/protocol'
import type { Logger } from '../logger.js'

export interface BlobReaderParts {
  readonly space: SpaceName
  readonly blobs: Pick<BlobStore, 'stat' | 'read'>
  readonly hasher: Hasher
  readonly logger: Logger
}

/** Reads blobs whole. */
export class BlobReader {
  constructor(private readonly parts: BlobReaderParts) {}

  /**
   * @returns bytes that hash to the id; `undefined` where the blob is gone, or, with a warning in the log, is
   *   longer than blobs are or rotten. @throws {StoreError}
   */
  async read(id: BlobId): Promise<Uint8Array | undefined> {
    const { space, blobs, hasher, logger } = this.parts
    const length = await blobs.stat(space, id)
    if (length === undefined) return undefined
    if (length > BLOB_BYTES_MAX) {
      logger.warn('blob-refused', { space, blob: id, code: 'LIMIT' })
      return undefined
    }
    let bytes: Uint8Array
    try {
      bytes = await blobs.read(space, id, { offset: 0, length })
    } catch (error) {
      if (error instanceof BlobNotFoundError) return undefined
      throw error
    }
    if (bytesToHex(await hasher.sha256Async(bytes)) === id) return bytes
    logger.warn('blob-refused', { space, blob: id, code: 'BLOB_MISMATCH' })
    return undefined
  }
}
