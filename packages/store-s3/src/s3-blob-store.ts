import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { S3Client } from '@aws-sdk/client-s3'
import {
  BLOB_BYTES_MAX,
  type BlobId,
  BlobMismatchError,
  BlobNotFoundError,
  type BlobStore,
  type BlobStoreSupports,
  type ByteRange,
  GRANT_TTL_MS,
  type Grant,
  type SpaceName,
  StoreError,
} from '@tidemark/protocol'
import { type CreatedBlob, createdBlobs } from './created-blobs.js'
import { GrantSigner, type Moment } from './grant-signer.js'
import { inOrder } from './in-order.js'
import { Layout, SHARDS } from './layout.js'
import { ObjectVerifier } from './object-verifier.js'
import type { S3BlobStoreOptions } from './options.js'
import { makeClient, publicBucketUrl } from './s3-client.js'
import { S3Objects } from './s3-objects.js'
import { selfTest } from './self-test.js'
import type { SelfTestReport } from './self-test-report.js'

/** Shards that are listed at once. */
const SHARDS_AHEAD = 16
/** Another put of the same key runs: tried again after 50, 100, 200 … milliseconds. */
const CONFLICT_TRIES = 6
const CONFLICT_DELAY_MS = 50

interface Parts {
  readonly bucket: string
  readonly client: S3Client
  readonly objects: S3Objects
  readonly signer: GrantSigner
  readonly layout: Layout
  readonly moment: () => Moment
  readonly report: SelfTestReport
}

/**
 * Blobs in a bucket of S3, or of what speaks like it; grants are presigned URLs that the store itself
 * enforces.
 */
export class S3BlobStore implements BlobStore, AsyncDisposable {
  readonly supports: BlobStoreSupports
  /** What the store was seen to do when it was opened. */
  readonly report: SelfTestReport
  readonly #parts: Parts
  readonly #verifier: ObjectVerifier
  /** For each key the end of what changes what is wrong there. */
  readonly #turns = new Map<string, Promise<void>>()

  /**
   * Runs the self-test, about thirty requests.
   * @throws {UnfitStoreError} the store lacks something essential, which it names; {StoreError} it cannot be
   *   reached, or refuses the keys; {TypeError} a bad option.
   */
  static async open(options: S3BlobStoreOptions): Promise<S3BlobStore> {
    const layout = new Layout(options.prefix ?? '')
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{2,62}$/.test(options.bucket)) {
      throw new TypeError('bucket: expected 3 to 63 of letters, digits, . _ -')
    }
    const ttlMs = options.grantTtlMs ?? GRANT_TTL_MS
    if (!(ttlMs >= 1_000)) throw new TypeError('grantTtlMs: expected at least a second')
    const clock = options.clock ?? { nowMs: () => Date.now() }
    const moment = (): Moment => ({ nowMs: clock.nowMs(), ttlMs })
    const client = makeClient(options)
    try {
      const objects = new S3Objects(client, options.bucket)
      const signer = new GrantSigner(client, await publicBucketUrl(client, options))
      const report = await selfTest({
        objects,
        signer,
        moment,
        prefix: layout.selfTest(randomBytes(8).toString('hex')),
        requestTimeoutMs: options.requestTimeoutMs ?? 30_000,
      })
      return new S3BlobStore({ bucket: options.bucket, client, objects, signer, layout, moment, report })
    } catch (error) {
      client.destroy()
      throw error
    }
  }

  private constructor(parts: Parts) {
    this.#parts = parts
    this.report = parts.report
    this.supports = { verifiesOnPut: parts.report.verifiesOnPut, grants: true }
    this.#verifier = new ObjectVerifier(parts.objects, { readsBack: !parts.report.verifiesOnPut })
  }

  async put(
    space: SpaceName,
    id: BlobId,
    bytes: Uint8Array,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<void> {
    const { objects, layout, report } = this.#parts
    const key = layout.blob(space, id)
    mustFit(bytes.length)
    if (createHash('sha256').update(bytes).digest('hex') !== id) throw new BlobMismatchError(id)
    if (report.createsOnlyOnce) {
      if (await this.#create(key, id, bytes, signal)) return
      await this.#inTurn(key, async () => {
        const head = await objects.head(key, signal)
        if (head?.length === bytes.length && (await this.#verifier.holds(key, id, head))) return
        await objects.put(key, id, bytes, { createOnly: false, signal })
      })
    } else await objects.put(key, id, bytes, { createOnly: false, signal })
  }

  async stat(space: SpaceName, id: BlobId): Promise<number | undefined> {
    const { objects, layout } = this.#parts
    const key = layout.blob(space, id)
    const head = await objects.head(key)
    return head && (await this.#verifier.holds(key, id, head)) ? head.length : undefined
  }

  async read(
    space: SpaceName,
    id: BlobId,
    range: ByteRange,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<Uint8Array> {
    const { objects, layout } = this.#parts
    const key = layout.blob(space, id)
    const { offset, length } = range
    if (!isCount(offset) || !isCount(length)) throw new RangeError(`no range ${offset}+${length}`)
    if (length > 0) return objects.read(key, id, range, signal)
    // No header can ask for no bytes.
    const head = await objects.head(key, signal)
    if (!head) throw new BlobNotFoundError(id)
    if (offset > head.length) throw new RangeError(`range ${offset}+0 is outside of the blob`)
    return new Uint8Array()
  }

  async delete(space: SpaceName, id: BlobId): Promise<void> {
    const { objects, layout } = this.#parts
    await objects.delete(layout.blob(space, id))
  }

  /** Ascending. */
  async *list(space: SpaceName): AsyncIterable<BlobId> {
    const { objects, layout } = this.#parts
    const shards = SHARDS.map((shard) => objects.list(layout.shard(space, shard)))
    for await (const page of inOrder(shards, SHARDS_AHEAD)) {
      for (const key of page) {
        const id = key.slice(key.lastIndexOf('/') + 1)
        // What others put there is none of ours.
        if (/^[0-9a-f]{64}$/.test(id) && key === layout.blob(space, id as BlobId)) yield id as BlobId
      }
    }
  }

  /**
   * The blobs that a notification of the bucket (`ObjectCreated`, parsed) says were put. It may come twice, late, or
   * not at all, and whoever sends it is not asked who it is: a hub looks for itself, see `Hub.blobsCreated`.
   */
  onObjectCreated(notification: unknown): readonly CreatedBlob[] {
    return createdBlobs(notification, this.#parts)
  }

  async grantPut(space: SpaceName, { id, length }: { id: BlobId; length: number }): Promise<Grant> {
    const { signer, layout, moment, report } = this.#parts
    mustFit(length)
    const key = layout.blob(space, id)
    // What is there instead would stand in the way of the right bytes for ever.
    const isWrong = report.createsOnlyOnce && this.#verifier.isWrong(key)
    if (isWrong && !report.verifiesOnPut) await this.#removeWrong(key, id)
    // One that replaces stays good when the right bytes are there: only a store that verifies keeps them then.
    const createOnly = report.createsOnlyOnce && !(isWrong && report.verifiesOnPut)
    return signer.put(key, { id, length, bind: report.bind, createOnly }, moment())
  }

  async grantGet(space: SpaceName, id: BlobId): Promise<Grant> {
    const { signer, layout, moment } = this.#parts
    return signer.get(layout.blob(space, id), moment())
  }

  /** Ends the connections. Grants stay good. */
  async close(): Promise<void> {
    this.#parts.client.destroy()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** What was read wrong once may have been read wrong; twice, it is. */
  #removeWrong(key: string, id: BlobId): Promise<void> {
    return this.#inTurn(key, async () => {
      if (await this.#verifier.isWrongAgain(key, id)) await this.#parts.objects.delete(key)
    })
  }

  /** One after the other for each key: what one has found wrong, another one puts right. */
  async #inTurn(key: string, fn: () => Promise<void>): Promise<void> {
    const turn = (this.#turns.get(key) ?? Promise.resolve()).then(fn)
    const end = turn.catch(() => undefined)
    this.#turns.set(key, end)
    await turn.finally(() => {
      if (this.#turns.get(key) === end) this.#turns.delete(key)
    })
  }

  /** @returns false where something is there. */
  async #create(key: string, id: BlobId, bytes: Uint8Array, signal?: AbortSignal): Promise<boolean> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#parts.objects.put(key, id, bytes, { createOnly: true, signal })
      } catch (error) {
        const isConflict = error instanceof StoreError && error.status === 409
        if (!isConflict || tries === CONFLICT_TRIES) throw error
        await delay(CONFLICT_DELAY_MS * 2 ** (tries - 1), undefined, signal ? { signal } : {})
      }
    }
  }
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0

function mustFit(length: number): void {
  if (!isCount(length) || length > BLOB_BYTES_MAX) {
    throw new RangeError(`blob of ${length} bytes: at most ${BLOB_BYTES_MAX}`)
  }
}
