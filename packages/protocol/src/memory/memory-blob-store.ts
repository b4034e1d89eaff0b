import { bytesToHex } from '../bytes.js'
import { BlobMismatchError, BlobNotFoundError, GrantExpiredError, StoreError } from '../errors.js'
import type { BlobId, SpaceName } from '../ids.js'
import { BLOB_BYTES_MAX, GRANT_TTL_MS } from '../limits.js'
import type { BlobClient, BlobStore, ByteRange, Grant } from '../ports/blob-store.js'

export interface MemoryBlobStoreOptions {
  /** SHA-256, 32 bytes. Injected: the protocol has no platform of its own. */
  readonly sha256: (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>
  /** Milliseconds since 1970, for the end of grants. */
  readonly now: () => number
  /** How long a grant is valid, milliseconds. @default GRANT_TTL_MS */
  readonly grantTtlMs?: number
}

/** A client has to send what a grant says. */
const KEY_HEADER = 'x-memory-key'

interface GivenGrant {
  readonly grant: Grant
  readonly space: SpaceName
  readonly id: BlobId
  /** What a put must bring, bytes. */
  readonly length: number
}

/** A blob store in memory: nothing survives the process. Grants are `memory:` URLs for its `client`. */
export class MemoryBlobStore implements BlobStore {
  readonly supports = { verifiesOnPut: true, grants: true } as const
  readonly client: BlobClient
  readonly #options: MemoryBlobStoreOptions
  readonly #spaces = new Map<SpaceName, Map<BlobId, Uint8Array>>()
  readonly #grants = new Map<string, GivenGrant>()
  #grantCount = 0

  constructor(options: MemoryBlobStoreOptions) {
    this.#options = options
    this.client = {
      put: (grant, body, { signal }) => this.#putByGrant(grant, body, signal),
      get: (grant, range, { signal }) => this.#getByGrant(grant, range, signal),
    }
  }

  async put(
    space: SpaceName,
    id: BlobId,
    bytes: Uint8Array,
    options: { signal?: AbortSignal } = {},
  ): Promise<void> {
    // Copied first: the caller may reuse its buffer while we hash, and what is stored is what was hashed.
    const copy = bytes.slice()
    checkLength(copy.length)
    const actual = bytesToHex(await this.#options.sha256(copy))
    options.signal?.throwIfAborted()
    if (actual !== id) throw new BlobMismatchError(id)
    const blobs = this.#spaces.get(space) ?? new Map<BlobId, Uint8Array>()
    this.#spaces.set(space, blobs)
    if (!blobs.has(id)) blobs.set(id, copy)
  }

  async stat(space: SpaceName, id: BlobId): Promise<number | undefined> {
    return this.#spaces.get(space)?.get(id)?.length
  }

  async read(
    space: SpaceName,
    id: BlobId,
    { offset, length }: ByteRange,
    options: { signal?: AbortSignal } = {},
  ): Promise<Uint8Array> {
    options.signal?.throwIfAborted()
    const blob = this.#spaces.get(space)?.get(id)
    if (blob === undefined) throw new BlobNotFoundError(id)
    const isInside =
      Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0
    if (!isInside || offset + length > blob.length) {
      throw new RangeError(`blob of ${blob.length} bytes has no range ${offset}+${length}`)
    }
    return blob.slice(offset, offset + length)
  }

  async delete(space: SpaceName, id: BlobId): Promise<void> {
    this.#spaces.get(space)?.delete(id)
  }

  async *list(space: SpaceName): AsyncGenerator<BlobId> {
    yield* [...(this.#spaces.get(space)?.keys() ?? [])]
  }

  async grantPut(space: SpaceName, blob: { id: BlobId; length: number }): Promise<Grant> {
    checkLength(blob.length)
    return this.#give('PUT', space, blob.id, blob.length)
  }

  async grantGet(space: SpaceName, id: BlobId): Promise<Grant> {
    return this.#give('GET', space, id, 0)
  }

  #give(method: 'PUT' | 'GET', space: SpaceName, id: BlobId, length: number): Grant {
    const now = this.#options.now()
    for (const [url, { grant }] of this.#grants) {
      // In order of giving, and all live equally long.
      if (grant.expiresAtMs + GRANT_TTL_MS > now) break
      this.#grants.delete(url)
    }
    const grant: Grant = {
      method,
      url: `memory:${method.toLowerCase()}/${space}/${id}/${++this.#grantCount}`,
      headers: { [KEY_HEADER]: String(this.#grantCount) },
      expiresAtMs: now + (this.#options.grantTtlMs ?? GRANT_TTL_MS),
    }
    this.#grants.set(grant.url, { grant, space, id, length })
    return grant
  }

  /** Looks at the URL and the header that it was signed with: whatever else a client says is the client's belief. */
  #mustBeGranted(method: 'PUT' | 'GET', { url, headers }: Grant): GivenGrant {
    const given = this.#grants.get(url)
    if (given === undefined || given.grant.method !== method) throw new StoreError('no such grant', 403)
    if (given.grant.headers[KEY_HEADER] !== headers[KEY_HEADER])
      throw new StoreError('a header of the grant is missing', 403)
    if (given.grant.expiresAtMs <= this.#options.now()) throw new GrantExpiredError('the grant is over')
    return given
  }

  async #putByGrant(grant: Grant, body: Uint8Array, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    const { space, id, length } = this.#mustBeGranted('PUT', grant)
    if (body.length !== length) throw new BlobMismatchError(id)
    await this.put(space, id, body, signal ? { signal } : {})
  }

  async #getByGrant(grant: Grant, range: ByteRange, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted()
    const { space, id } = this.#mustBeGranted('GET', grant)
    return this.read(space, id, range, signal ? { signal } : {})
  }
}

function checkLength(length: number): void {
  if (Number.isSafeInteger(length) && length >= 0 && length <= BLOB_BYTES_MAX) return
  throw new RangeError(`blob of ${length} bytes: at most ${BLOB_BYTES_MAX}`)
}
