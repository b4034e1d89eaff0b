import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  BLOB_BYTES_MAX,
  type BlobId,
  type BlobStore,
  type BlobStoreSupports,
  type ByteRange,
  GRANT_TTL_MS,
  type Grant,
  type SpaceName,
} from '@tidemark/protocol'
import { BlobFiles } from './blob-files.js'
import { BlobRequestHandler, type UploadLimits } from './blob-request-handler.js'
import { type FileSystem, nodeFileSystem } from './file-system.js'
import { GrantSigner, loadOrCreateSecret } from './grant-signer.js'
import { Layout } from './layout.js'

export interface FsBlobStoreOptions {
  /** Created if it is missing. One process a directory: opening it removes unfinished uploads. */
  readonly directory: string
  /** Key of the grants, at least 32 bytes. @default read from, or made in, `<directory>/grant-secret` */
  readonly secret?: Uint8Array
  /** Milliseconds since 1970, for the expiry of grants. @default the system's clock */
  readonly clock?: { nowMs(): number }
  /** How long a grant is valid, milliseconds. @default GRANT_TTL_MS */
  readonly grantTtlMs?: number
  /** Path under which `handleBlobRequest` answers, without a slash at the end. @default '/blobs' */
  readonly prefix?: string
  /**
   * What the URLs of grants begin with, without a slash at the end. Without one at the start, such as `blobs`, they
   * are relative to the URL that devices dial, whatever path a proxy adds to that. @default `prefix`
   */
  readonly grantPrefix?: string
  /**
   * Called after an upload by grant is durable and before it is answered, with its bytes: the holder of an
   * index need not read them again. If it rejects, the upload is answered as its error says: a `StoreError` with
   * its status or 503, a mismatch, a blob that is not there, a limit or a grant with 4xx, everything else with 500.
   */
  readonly onStored?: (space: SpaceName, id: BlobId, bytes: Uint8Array) => void | Promise<void>
  /** Told of failures that are answered with 5xx. @default nothing */
  readonly onError?: (error: unknown) => void
  /** Bounds of uploads over HTTP. */
  readonly uploads?: Partial<UploadLimits>
  /** Replaced by tests that inject failures. @default node:fs/promises */
  readonly fileSystem?: FileSystem
}

/**
 * Blobs in a local directory; grants are signed, expiring URLs relative to the server that runs
 * `handleBlobRequest`. A blob is durable, and its bytes are those that its id names, before a put resolves.
 */
export class FsBlobStore implements BlobStore {
  readonly supports: BlobStoreSupports = { verifiesOnPut: true, grants: true }
  readonly #options: FsBlobStoreOptions
  readonly #layout: Layout
  readonly #files: BlobFiles
  readonly #clock: { nowMs(): number }
  readonly #prefix: string
  #opened: Promise<Opened> | undefined

  constructor(options: FsBlobStoreOptions) {
    const prefix = options.prefix ?? '/blobs'
    if (!/^(\/[A-Za-z0-9._~-]+)+$/.test(prefix)) throw new TypeError('prefix: expected a path such as /blobs')
    this.#options = options
    this.#prefix = prefix
    this.#layout = new Layout(options.directory)
    this.#files = new BlobFiles(this.#layout, options.fileSystem ?? nodeFileSystem)
    this.#clock = options.clock ?? { nowMs: () => Date.now() }
  }

  /** Makes the directories, sweeps unfinished uploads, loads the key. Every other method does it first. */
  async open(): Promise<void> {
    await this.#open()
  }

  async put(
    space: SpaceName,
    id: BlobId,
    bytes: Uint8Array,
    options?: { signal?: AbortSignal },
  ): Promise<void> {
    await this.#open()
    await this.#files.put(space, id, bytes, options?.signal)
  }

  async stat(space: SpaceName, id: BlobId): Promise<number | undefined> {
    await this.#open()
    return this.#files.stat(space, id)
  }

  async read(
    space: SpaceName,
    id: BlobId,
    range: ByteRange,
    options?: { signal?: AbortSignal },
  ): Promise<Uint8Array> {
    await this.#open()
    return this.#files.read(space, id, range, options?.signal)
  }

  async delete(space: SpaceName, id: BlobId): Promise<void> {
    await this.#open()
    await this.#files.delete(space, id)
  }

  async *list(space: SpaceName): AsyncIterable<BlobId> {
    await this.#open()
    yield* this.#files.list(space)
  }

  async grantPut(space: SpaceName, blob: { id: BlobId; length: number }): Promise<Grant> {
    if (!Number.isSafeInteger(blob.length) || blob.length < 0 || blob.length > BLOB_BYTES_MAX) {
      throw new RangeError(`length: expected 0 to ${BLOB_BYTES_MAX} bytes`)
    }
    this.#layout.blob(space, blob.id)
    const { signer } = await this.#open()
    const expiresAtMs = this.#expiry()
    const url = signer.url({ method: 'PUT', space, id: blob.id, length: blob.length }, expiresAtMs)
    return { method: 'PUT', url, headers: {}, expiresAtMs }
  }

  async grantGet(space: SpaceName, id: BlobId): Promise<Grant> {
    this.#layout.blob(space, id)
    const { signer } = await this.#open()
    const expiresAtMs = this.#expiry()
    return {
      method: 'GET',
      url: signer.url({ method: 'GET', space, id }, expiresAtMs),
      headers: {},
      expiresAtMs,
    }
  }

  /**
   * Answers requests below the prefix: PUT, GET and HEAD of granted URLs.
   * @returns false, with nothing done, where the path is not below the prefix. Never rejects.
   */
  async handleBlobRequest(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const path = (request.url ?? '').split('?', 1)[0]!
    if (path !== this.#prefix && !path.startsWith(`${this.#prefix}/`)) return false
    try {
      await (await this.#open()).handler.handle(request, response)
    } catch (error) {
      this.#options.onError?.(error)
      if (response.headersSent) response.destroy()
      else response.writeHead(503, { 'retry-after': '1', 'content-length': '0' }).end()
    }
    return true
  }

  #expiry(): number {
    return Math.floor(this.#clock.nowMs()) + (this.#options.grantTtlMs ?? GRANT_TTL_MS)
  }

  #open(): Promise<Opened> {
    this.#opened ??= this.#doOpen().catch((error: unknown) => {
      // A full disk or a missing mount may come back: the next call tries again.
      this.#opened = undefined
      throw error
    })
    return this.#opened
  }

  async #doOpen(): Promise<Opened> {
    await this.#files.open()
    const secret =
      this.#options.secret ??
      (await loadOrCreateSecret(this.#layout.secret, this.#options.fileSystem ?? nodeFileSystem))
    const signer = new GrantSigner(secret, this.#prefix, this.#options.grantPrefix)
    const handler = new BlobRequestHandler(this.#files, signer, this.#clock, this.#options)
    return { signer, handler }
  }
}

interface Opened {
  readonly signer: GrantSigner
  readonly handler: BlobRequestHandler
}

/** See {@link FsBlobStore}. Opens on first use; call `open()` to learn of a bad directory at once. */
export function fsBlobStore(options: FsBlobStoreOptions): FsBlobStore {
  return new FsBlobStore(options)
}
