import {
  DeleteObjectCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { type BlobId, BlobNotFoundError, type ByteRange, hexToBytes, StoreError } from '@tidemark/protocol'
import { statusOf, translated } from './errors.js'

export interface ObjectHead {
  /** Bytes. */
  readonly length: number
  /** Changes with the bytes. */
  readonly etag: string
  /** SHA-256 of the whole object, hex, where the store keeps and tells it. */
  readonly sha256: string | undefined
}

type Signal = AbortSignal | undefined

const SHA256_BASE64 = /^[A-Za-z0-9+/]{43}=$/

/**
 * Objects of one bucket through the SDK, with the errors of the protocol. Every method throws {StoreError}
 * where the store fails, and the signal's reason where it is aborted.
 */
export class S3Objects {
  constructor(
    private readonly client: S3Client,
    private readonly bucket: string,
  ) {}

  /**
   * @returns false where `createOnly` is set and there is an object already.
   * @throws {BlobMismatchError} the store found that the bytes do not hash to `id`.
   */
  async put(
    key: string,
    id: BlobId,
    bytes: Uint8Array,
    { createOnly, signal }: { createOnly: boolean; signal: Signal },
  ): Promise<boolean> {
    return translated(id, signal, async () => {
      const command = new PutObjectCommand({
        ...this.#at(key),
        Body: bytes,
        ContentLength: bytes.length,
        ChecksumSHA256: Buffer.from(hexToBytes(id)).toString('base64'),
        ...(createOnly ? { IfNoneMatch: '*' } : {}),
      })
      try {
        await this.client.send(command, options(signal))
        return true
      } catch (error) {
        if (statusOf(error) === 412) return false
        throw error
      }
    })
  }

  /** `undefined` where there is no object. */
  async head(key: string, signal?: Signal): Promise<ObjectHead | undefined> {
    return translated(key, signal, async () => {
      const command = new HeadObjectCommand({ ...this.#at(key), ChecksumMode: 'ENABLED' })
      try {
        const { ContentLength, ETag, ChecksumSHA256, ChecksumType } = await this.client.send(
          command,
          options(signal),
        )
        if (ContentLength === undefined) throw new StoreError('blob store: a HEAD without a length', 200)
        // A composite one is a hash of hashes; it ends in the number of parts, and has a type in newer stores only.
        const isWhole = ChecksumType !== 'COMPOSITE' && SHA256_BASE64.test(ChecksumSHA256 ?? '')
        const sha256 = isWhole ? Buffer.from(ChecksumSHA256!, 'base64').toString('hex') : undefined
        return { length: ContentLength, etag: ETag ?? '', sha256 }
      } catch (error) {
        if (statusOf(error) === 404) return undefined
        throw error
      }
    })
  }

  /** Exactly the bytes of `range`, at least one. @throws {BlobNotFoundError}, {RangeError} outside the object. */
  async read(key: string, id: BlobId, range: ByteRange, signal?: Signal): Promise<Uint8Array> {
    return translated(id, signal, async () => {
      const { offset, length } = range
      const output = await this.#get(key, id, signal, `bytes=${offset}-${offset + length - 1}`)
      const status = output.$metadata.httpStatusCode
      const [, first, last] = /^bytes (\d+)-(\d+)\//.exec(output.ContentRange ?? '') ?? []
      const isWhole = offset === 0 && output.ContentLength === length
      if (first === undefined ? !isWhole : Number(first) !== offset) {
        dismiss(output)
        throw new StoreError('blob store: answered a range with another', status)
      }
      if (last !== undefined && Number(last) !== offset + length - 1) {
        dismiss(output)
        throw new RangeError(`range ${offset}+${length} is outside of the blob`)
      }
      const bytes = new Uint8Array(length)
      let at = 0
      for await (const part of partsOf(output)) {
        if (at + part.length > length) throw new StoreError('blob store: sent more than the range', status)
        bytes.set(part, at)
        at += part.length
      }
      if (at < length) throw new StoreError('blob store: sent less than the range', status)
      return bytes
    })
  }

  /** The whole object, part by part. @throws {BlobNotFoundError} */
  async *stream(key: string, id: BlobId, signal?: Signal): AsyncGenerator<Uint8Array> {
    const output = await translated(id, signal, () => this.#get(key, id, signal))
    const parts = partsOf(output)[Symbol.asyncIterator]()
    try {
      for (;;) {
        const next = await translated(id, signal, () => parts.next())
        if (next.done) return
        yield next.value
      }
    } finally {
      dismiss(output)
    }
  }

  /** Quiet where there is no object. */
  async delete(key: string, signal?: Signal): Promise<void> {
    await translated(key, signal, () =>
      this.client.send(new DeleteObjectCommand(this.#at(key)), options(signal)),
    )
  }

  /** Keys that begin with `prefix`, ascending, a page of at most 1,000 at a time. */
  async *list(prefix: string, signal?: Signal): AsyncGenerator<readonly string[]> {
    let ContinuationToken: string | undefined
    do {
      const input = {
        Bucket: this.bucket,
        Prefix: prefix,
        ...(ContinuationToken ? { ContinuationToken } : {}),
      }
      const page = await translated(prefix, signal, () =>
        this.client.send(new ListObjectsV2Command(input), options(signal)),
      )
      yield (page.Contents ?? []).map(({ Key }) => Key!)
      ContinuationToken = page.IsTruncated ? page.NextContinuationToken : undefined
    } while (ContinuationToken)
  }

  async #get(key: string, id: BlobId, signal: Signal, range?: string): Promise<GetObjectCommandOutput> {
    const command = new GetObjectCommand({ ...this.#at(key), ...(range ? { Range: range } : {}) })
    try {
      return await this.client.send(command, options(signal))
    } catch (error) {
      const status = statusOf(error)
      if (status === 404 && (error as Error).name !== 'NoSuchBucket') throw new BlobNotFoundError(id)
      if (status === 416) throw new RangeError(`${range} is outside of the blob`)
      throw error
    }
  }

  #at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.bucket, Key: key }
  }
}

const options = (signal: Signal) => (signal ? { abortSignal: signal } : {})

/** In Node the body is a stream of `Uint8Array`. */
const partsOf = ({ Body }: GetObjectCommandOutput): AsyncIterable<Uint8Array> =>
  Body as unknown as AsyncIterable<Uint8Array>

/** Ends a body that nobody reads, so that its connection is not held. */
function dismiss(output: GetObjectCommandOutput): void {
  const body = output.Body as unknown as { destroy?(): void; on?(event: 'error', listener: () => void): void }
  body.on?.('error', () => undefined)
  body.destroy?.()
}
