import { createHash, subtle } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import {
  BLOB_BYTES_MAX,
  type BlobId,
  BlobMismatchError,
  BlobNotFoundError,
  type ByteRange,
  LimitError,
  type SpaceName,
  StoreError,
} from '@tidemark/protocol'
import { type FileSystem, orUndefined } from './file-system.js'
import { Incoming, type IncomingFile, storing } from './incoming.js'
import { type Layout, PREFIXES } from './layout.js'

/** From here on hashing off the thread costs less than it saves. */
const POOL_HASH_BYTES_MIN = 256 * 1024

/** Blobs as files: what `fsBlobStore` and its HTTP handler share. */
export class BlobFiles {
  readonly #incoming: Incoming

  constructor(
    private readonly layout: Layout,
    private readonly files: FileSystem,
  ) {
    this.#incoming = new Incoming(layout, files)
  }

  open(): Promise<void> {
    return storing(this.#incoming.open())
  }

  /** @throws {BlobMismatchError}, {StoreError}, {LimitError}; then nothing is stored. */
  async put(space: SpaceName, id: BlobId, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    if (bytes.length > BLOB_BYTES_MAX) {
      throw new LimitError('a blob is longer than BLOB_BYTES_MAX', 'BLOB_BYTES_MAX', bytes.length)
    }
    await this.receive(space, id, async (file) => {
      const [digest] = await Promise.all([sha256Hex(bytes), file.append(bytes)])
      signal?.throwIfAborted()
      return digest
    })
  }

  /**
   * Stores what `fill` appends, if the SHA-256 that it returns is the id. A blob that is there already is
   * written again: that repairs one whose bytes have rotted, and uploads of known blobs are rare.
   * @throws {BlobMismatchError}, {StoreError} and what `fill` throws; then nothing is stored.
   */
  async receive(space: SpaceName, id: BlobId, fill: (file: IncomingFile) => Promise<string>): Promise<void> {
    const target = this.layout.blob(space, id)
    const file = await this.#incoming.create()
    try {
      if ((await fill(file)) !== id) throw new BlobMismatchError(id)
      await this.#incoming.commit(file, this.layout.directoriesOf(space, id.slice(0, 2)), target)
    } catch (error) {
      await file.discard()
      throw error
    }
  }

  async stat(space: SpaceName, id: BlobId): Promise<number | undefined> {
    return (await storing(orUndefined(this.files.stat(this.layout.blob(space, id)))))?.size
  }

  /** An open blob; the caller closes it. @throws {BlobNotFoundError}, {StoreError} */
  async openBlob(space: SpaceName, id: BlobId): Promise<OpenBlob> {
    const handle = await storing(orUndefined(this.files.open(this.layout.blob(space, id), 'r')))
    if (!handle) throw new BlobNotFoundError(id)
    try {
      return new OpenBlob(handle, (await storing(handle.stat())).size)
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** @throws {BlobNotFoundError}, {RangeError} outside the blob, {StoreError} */
  async read(space: SpaceName, id: BlobId, range: ByteRange, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted()
    const blob = await this.openBlob(space, id)
    try {
      const { offset, length } = range
      if (!(Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0)) {
        throw new RangeError('range: expected an offset and a length of whole bytes')
      }
      if (offset + length > blob.size) {
        throw new RangeError(`range: ${offset}+${length} is outside of a blob of ${blob.size} bytes`)
      }
      const bytes = await blob.read(range)
      signal?.throwIfAborted()
      return bytes
    } finally {
      await blob.close()
    }
  }

  async delete(space: SpaceName, id: BlobId): Promise<void> {
    await storing(orUndefined(this.files.unlink(this.layout.blob(space, id))))
  }

  /** Ascending. What is put or deleted meanwhile may or may not be listed. */
  async *list(space: SpaceName): AsyncIterable<BlobId> {
    for (const prefix of PREFIXES) {
      const names = await storing(
        orUndefined(this.files.readdir(this.layout.directoriesOf(space, prefix)[1])),
      )
      for (const name of (names ?? []).sort()) {
        if (/^[0-9a-f]{64}$/.test(name)) yield name as BlobId
      }
    }
  }
}

export class OpenBlob {
  constructor(
    private readonly handle: FileHandle,
    /** Bytes. */
    readonly size: number,
  ) {}

  /** Precondition: the range is inside. @param into Of at least as many bytes: used instead of new memory. */
  async read({ offset, length }: ByteRange, into?: Buffer): Promise<Uint8Array> {
    const bytes = into?.subarray(0, length) ?? Buffer.allocUnsafeSlow(length)
    let done = 0
    while (done < length) {
      const { bytesRead } = await storing(this.handle.read(bytes, done, length - done, offset + done))
      if (bytesRead === 0) throw new StoreError('a stored blob became shorter while it was read')
      done += bytesRead
    }
    return bytes
  }

  close(): Promise<void> {
    return this.handle.close()
  }
}

async function sha256Hex(bytes: Uint8Array): Promise<string> {
  if (bytes.length < POOL_HASH_BYTES_MIN) return createHash('sha256').update(bytes).digest('hex')
  return Buffer.from(await subtle.digest('SHA-256', bytes)).toString('hex')
}
