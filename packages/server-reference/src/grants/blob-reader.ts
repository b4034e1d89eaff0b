import { Budget, type Hasher } from '@tidemark/engine'
import {
  BLOB_BYTES_MAX,
  type BlobId,
  BlobNotFoundError,
  type BlobStore,
  bytesToHex,
  type SpaceName,
} from '@tidemark/protocol'
import type { Logger } from '../logger.js'

/** Of blobs that are read whole: four of the largest. */
const READING_BYTES_MAX = 4 * BLOB_BYTES_MAX
const READING_MAX = 64

/** What of blobs may be in memory at once, because it is verified. One for all spaces of a hub. */
export const newReadingBudget = (): Budget => new Budget(READING_BYTES_MAX, READING_MAX)

export interface BlobReaderParts {
  readonly space: SpaceName
  readonly blobs: Pick<BlobStore, 'stat' | 'read'>
  readonly hasher: Hasher
  readonly logger: Logger
  /** See `newReadingBudget`. */
  readonly reading: Budget
}

/** Reads blobs whole. Each waits until there is room for it. */
export class BlobReader {
  constructor(private readonly parts: BlobReaderParts) {}

  /**
   * Gives `use` bytes that hash to the id; there is room for others when it is done with them.
   * @returns what it returns; `undefined` where the blob is gone, or, with a warning in the log, is longer than
   *   blobs are or rotten. @throws {StoreError}, what `use` throws, the signal's reason.
   */
  async read<T>(
    id: BlobId,
    use: (bytes: Uint8Array) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T | undefined> {
    const { space, logger } = this.parts
    return this.#read(id, signal, async (read) => {
      if (typeof read !== 'string') return use(read)
      if (read !== 'GONE') logger.warn('blob-refused', { space, blob: id, code: read })
      return undefined
    })
  }

  /** Whether it is there and is not what its id says. @throws {StoreError}, the signal's reason. */
  async isDamaged(id: BlobId, signal?: AbortSignal): Promise<boolean> {
    return this.#read(id, signal, async (read) => read === 'LIMIT' || read === 'BLOB_MISMATCH')
  }

  async #read<T>(
    id: BlobId,
    signal: AbortSignal | undefined,
    use: (read: Uint8Array | 'GONE' | 'LIMIT' | 'BLOB_MISMATCH') => Promise<T>,
  ): Promise<T> {
    const { space, blobs, reading } = this.parts
    const length = await blobs.stat(space, id)
    if (length === undefined) return use('GONE')
    if (length > BLOB_BYTES_MAX) return use('LIMIT')
    const release = await reading.take(length, signal)
    try {
      return await use(await this.#verified(id, length))
    } finally {
      release()
    }
  }

  async #verified(id: BlobId, length: number): Promise<Uint8Array | 'GONE' | 'BLOB_MISMATCH'> {
    const { space, blobs, hasher } = this.parts
    try {
      const bytes = await blobs.read(space, id, { offset: 0, length })
      return bytesToHex(await hasher.sha256Async(bytes)) === id ? bytes : 'BLOB_MISMATCH'
    } catch (error) {
      if (error instanceof BlobNotFoundError) return 'GONE'
      throw error
    }
  }
}
