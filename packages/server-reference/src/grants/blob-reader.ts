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
    const read = await this.#read(id)
    if (typeof read !== 'string') return read
    const { space, logger } = this.parts
    if (read !== 'GONE') logger.warn('blob-refused', { space, blob: id, code: read })
    return undefined
  }

  /** Whether it is there and is not what its id says. @throws {StoreError} */
  async isDamaged(id: BlobId): Promise<boolean> {
    const read = await this.#read(id)
    return read === 'LIMIT' || read === 'BLOB_MISMATCH'
  }

  async #read(id: BlobId): Promise<Uint8Array | 'GONE' | 'LIMIT' | 'BLOB_MISMATCH'> {
    const { space, blobs, hasher } = this.parts
    const length = await blobs.stat(space, id)
    if (length === undefined) return 'GONE'
    if (length > BLOB_BYTES_MAX) return 'LIMIT'
    try {
      const bytes = await blobs.read(space, id, { offset: 0, length })
      return bytesToHex(await hasher.sha256Async(bytes)) === id ? bytes : 'BLOB_MISMATCH'
    } catch (error) {
      if (error instanceof BlobNotFoundError) return 'GONE'
      throw error
    }
  }
}
