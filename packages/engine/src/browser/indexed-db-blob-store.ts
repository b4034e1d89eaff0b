import {
  BLOB_BYTES_MAX,
  type BlobId,
  BlobMismatchError,
  BlobNotFoundError,
  type BlobStore,
  type ByteRange,
  bytesToHex,
  type Grant,
  type SpaceName,
  StoreError,
} from '@tidemark/protocol'
import type { Hasher } from '../ports/hasher.js'
import { GroupedCalls } from './grouped-calls.js'
import { type OpenDatabase, openDatabase, type StorageOptions } from './open-database.js'
import { answered, exact, reading, writing } from './transactions.js'

export interface IndexedDbBlobStoreOptions extends StorageOptions {
  readonly hasher: Pick<Hasher, 'sha256Async'>
}

/** Blobs of this device in IndexedDB, without grants. Close it after the replica. */
export interface IndexedDbBlobStore extends BlobStore {
  close(): Promise<void>
}

/** Length in the key: it is told without reading the bytes. */
type Key = [space: SpaceName, id: BlobId, length: number]

interface Put {
  readonly key: Key
  readonly bytes: Uint8Array
}

/**
 * Keeps a replica's bytes in the browser, so that files can be written offline. One tab at a time.
 *
 * @throws {DatabaseError} LOCKED: another tab has it open; IO: the browser refuses.
 * @throws {TypeError} the page is not served securely.
 */
export async function openIndexedDbBlobStore(
  name: string,
  options: IndexedDbBlobStoreOptions,
): Promise<IndexedDbBlobStore> {
  return new IndexedDbBlobs(options.hasher, await openDatabase(`tidemark/blobs/${name}`, options))
}

class IndexedDbBlobs implements IndexedDbBlobStore {
  readonly supports = { verifiesOnPut: true, grants: false } as const

  readonly #puts = new GroupedCalls<Put>((puts) =>
    writing(this.open.database, true, (rows) => {
      for (const { key, bytes } of puts) rows.put(bytes, key)
    }),
  )

  constructor(
    private readonly hasher: Pick<Hasher, 'sha256Async'>,
    private readonly open: OpenDatabase,
  ) {}

  async put(
    space: SpaceName,
    id: BlobId,
    bytes: Uint8Array,
    options: { signal?: AbortSignal } = {},
  ): Promise<void> {
    if (bytes.length > BLOB_BYTES_MAX) {
      throw new RangeError(`blob of ${bytes.length} bytes: at most ${BLOB_BYTES_MAX}`)
    }
    // The caller may use its buffer again while we hash: what is stored is what was hashed.
    const copy = exact(bytes.slice())
    const actual = bytesToHex(await this.hasher.sha256Async(copy))
    options.signal?.throwIfAborted()
    if (actual !== id) throw new BlobMismatchError(id)
    // Where it is there already, the same bytes are written once more: cheaper than to look each time.
    const key: Key = [space, id, copy.length]
    await stored(() => this.#puts.add({ key, bytes: copy }))
  }

  async stat(space: SpaceName, id: BlobId): Promise<number | undefined> {
    return (await this.#key(space, id))?.[2]
  }

  async read(
    space: SpaceName,
    id: BlobId,
    { offset, length }: ByteRange,
    options: { signal?: AbortSignal } = {},
  ): Promise<Uint8Array> {
    options.signal?.throwIfAborted()
    const bytes = await stored(() =>
      answered<Uint8Array | undefined>(reading(this.open.database).get(rangeOf(space, id))),
    )
    if (!bytes) throw new BlobNotFoundError(id)
    const isInside =
      Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0
    if (!isInside || offset + length > bytes.length) {
      throw new RangeError(`blob of ${bytes.length} bytes has no range ${offset}+${length}`)
    }
    return bytes.subarray(offset, offset + length)
  }

  async delete(space: SpaceName, id: BlobId): Promise<void> {
    await stored(() => writing(this.open.database, true, (rows) => rows.delete(rangeOf(space, id))))
  }

  async *list(space: SpaceName): AsyncGenerator<BlobId> {
    const range = IDBKeyRange.bound([space], [space, []])
    const keys = await stored(() => answered(reading(this.open.database).getAllKeys(range)))
    for (const key of keys) yield (key as Key)[1]
  }

  async grantPut(): Promise<Grant> {
    throw new TypeError('a store in the browser gives no grants')
  }

  async grantGet(): Promise<Grant> {
    throw new TypeError('a store in the browser gives no grants')
  }

  async close(): Promise<void> {
    await this.#puts.idle()
    await this.open.close()
  }

  async #key(space: SpaceName, id: BlobId): Promise<Key | undefined> {
    const key = await stored(() => answered(reading(this.open.database).getKey(rangeOf(space, id))))
    return key as Key | undefined
  }
}

/** Arrays sort behind numbers. */
const rangeOf = (space: SpaceName, id: BlobId): IDBKeyRange => IDBKeyRange.bound([space, id], [space, id, []])

async function stored<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    const { name, message } = error as Error
    const status = name === 'QuotaExceededError' ? 507 : undefined
    throw new StoreError(`blobs in the browser: ${message}`, status, { cause: error })
  }
}
