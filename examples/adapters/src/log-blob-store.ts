import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import type { BlobId, BlobStore, ByteRange, SpaceName } from '@tidemark/protocol'
import { BLOB_BYTES_MAX, BlobMismatchError, BlobNotFoundError } from '@tidemark/protocol'

/** Before each blob: SHA-256 of the rest of the head (32), blob (32), bytes (4), space behind zeros (64). */
const HEAD_BYTES = 132
/** In the place of a length: the blob is deleted. */
const DELETED = 0xffffffff

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()

interface Head {
  readonly id: BlobId
  readonly space: SpaceName
  readonly length: number
}

interface Place {
  readonly offset: number
  readonly length: number
}

/**
 * Blobs in one file that only grows; where each stands is kept in memory, and read back from the heads when
 * the file is opened. What the last crash left unfinished at its end was never acknowledged, and is cut off.
 * Deleted blobs keep their room.
 */
export class LogBlobStore implements BlobStore {
  readonly supports = { verifiesOnPut: true, grants: false }
  readonly #places = new Map<SpaceName, Map<BlobId, Place>>()
  #endOffset = 0
  /** One writer at a time. */
  #last: Promise<unknown> = Promise.resolve()

  private constructor(private readonly file: FileHandle) {}

  /** One process a file. @throws {Error} it is damaged before its last blob. */
  static async open(path: string): Promise<LogBlobStore> {
    await (await open(path, 'a')).close()
    const store = new LogBlobStore(await open(path, 'r+'))
    await store.#readHeads()
    return store
  }

  async close(): Promise<void> {
    await this.#last
    await this.file.close()
  }

  async put(
    space: SpaceName,
    id: BlobId,
    bytes: Uint8Array,
    options: { signal?: AbortSignal } = {},
  ): Promise<void> {
    options.signal?.throwIfAborted()
    if (bytes.length > BLOB_BYTES_MAX)
      throw new RangeError(`blob of ${bytes.length} bytes: at most ${BLOB_BYTES_MAX}`)
    // A copy: the caller may use its buffer again while this waits for its turn.
    const copy = Uint8Array.from(bytes)
    if (sha256(copy).toString('hex') !== id) throw new BlobMismatchError(id)
    await this.#inTurn(async () => {
      if (this.#places.get(space)?.has(id)) return
      await this.#append({ space, id, length: copy.length }, copy)
    })
  }

  async stat(space: SpaceName, id: BlobId): Promise<number | undefined> {
    return this.#places.get(space)?.get(id)?.length
  }

  async read(
    space: SpaceName,
    id: BlobId,
    { offset, length }: ByteRange,
    options: { signal?: AbortSignal } = {},
  ): Promise<Uint8Array> {
    options.signal?.throwIfAborted()
    const place = this.#places.get(space)?.get(id)
    if (!place) throw new BlobNotFoundError(id)
    const isRange = [offset, length].every((value) => Number.isSafeInteger(value) && value >= 0)
    if (!isRange || offset + length > place.length)
      throw new RangeError(`blob of ${place.length} bytes has no range ${offset}+${length}`)
    const bytes = await this.#bytesAt(place.offset + offset, length)
    if (bytes.length < length) throw new Error('the file of blobs ends before its last blob does')
    return bytes
  }

  async delete(space: SpaceName, id: BlobId): Promise<void> {
    await this.#inTurn(async () => {
      if (this.#places.get(space)?.has(id))
        await this.#append({ space, id, length: DELETED }, new Uint8Array())
    })
  }

  async *list(space: SpaceName): AsyncGenerator<BlobId> {
    yield* [...(this.#places.get(space)?.keys() ?? [])]
  }

  async grantPut(): Promise<never> {
    throw new TypeError('this store gives no grants')
  }

  async grantGet(): Promise<never> {
    throw new TypeError('this store gives no grants')
  }

  #inTurn(act: () => Promise<void>): Promise<void> {
    const done = this.#last.then(act)
    this.#last = done.catch(() => undefined)
    return done
  }

  /** Durable when it resolves. */
  async #append(head: Head, body: Uint8Array): Promise<void> {
    const record = Buffer.concat([encodeHead(head), body])
    // What one that failed left behind must not be found behind this one.
    await this.file.truncate(this.#endOffset)
    for (let at = 0; at < record.length; ) {
      const { bytesWritten } = await this.file.write(record, at, record.length - at, this.#endOffset + at)
      if (bytesWritten === 0) throw new Error('the file of blobs takes no more bytes')
      at += bytesWritten
    }
    await this.file.datasync()
    this.#note(head)
  }

  async #readHeads(): Promise<void> {
    const { size } = await this.file.stat()
    for (;;) {
      const head = decodeHead(await this.#bytesAt(this.#endOffset, HEAD_BYTES))
      if (!head || !(await this.#isWhole(head, size))) break
      this.#note(head)
    }
    if (size - this.#endOffset > HEAD_BYTES + BLOB_BYTES_MAX)
      throw new Error(`the file of blobs is damaged at byte ${this.#endOffset}`)
    await this.file.truncate(this.#endOffset)
  }

  /** Only the last one may be torn, and its bytes may be missing anywhere. */
  async #isWhole({ id, length }: Head, size: number): Promise<boolean> {
    const offset = this.#endOffset + HEAD_BYTES
    if (length === DELETED || offset + length < size) return true
    return sha256(await this.#bytesAt(offset, length)).toString('hex') === id
  }

  /** Fewer at the end of the file. */
  async #bytesAt(offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length)
    for (let at = 0; at < length; ) {
      const { bytesRead } = await this.file.read(bytes, at, length - at, offset + at)
      if (bytesRead === 0) return bytes.subarray(0, at)
      at += bytesRead
    }
    return bytes
  }

  #note({ space, id, length }: Head): void {
    const places = this.#places.get(space) ?? new Map<BlobId, Place>()
    this.#places.set(space, places)
    this.#endOffset += HEAD_BYTES
    if (length === DELETED) places.delete(id)
    else {
      places.set(id, { offset: this.#endOffset, length })
      this.#endOffset += length
    }
  }
}

function encodeHead({ id, space, length }: Head): Buffer {
  const head = Buffer.alloc(HEAD_BYTES)
  head.write(id, 32, 'hex')
  head.writeUInt32BE(length, 64)
  head.write(space, 68, 'latin1')
  sha256(head.subarray(32)).copy(head)
  return head
}

function decodeHead(bytes: Uint8Array): Head | undefined {
  const head = Buffer.from(bytes)
  if (head.length < HEAD_BYTES || !sha256(head.subarray(32)).equals(head.subarray(0, 32))) return undefined
  return {
    id: head.toString('hex', 32, 64) as BlobId,
    space: head.toString('latin1', 68).replace(/\0+$/, '') as SpaceName,
    length: head.readUInt32BE(64),
  }
}
