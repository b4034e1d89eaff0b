import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type UndiciBlobClient, undiciBlobClient } from '@tidemark/engine/node'
import { type BlobId, parseBlobId, parseSpaceName } from '@tidemark/protocol'
import { S3BlobStore, type S3BlobStoreOptions } from '../src/index.js'
import { S3Double, type S3DoubleOptions } from '../src/testing/index.js'

export const SPACE = parseSpaceName('photos')

export interface Blob {
  readonly id: BlobId
  readonly bytes: Buffer<ArrayBuffer>
  readonly length: number
}

export function blobOf(length: number): Blob {
  const bytes = randomBytes(length)
  return { id: idOf(bytes), bytes, length }
}

export const idOf = (bytes: Uint8Array): BlobId =>
  parseBlobId(createHash('sha256').update(bytes).digest('hex'))

export const keyOf = (id: BlobId): string => `${id.slice(0, 2)}/${SPACE}/${id}`

/** One time for the double and for who signs. */
export class TestClock {
  #aheadMs = 0
  nowMs = (): number => Date.now() + this.#aheadMs
  advance(ms: number): void {
    this.#aheadMs += ms
  }
}

export interface Opened {
  readonly double: S3Double
  /** Where the double keeps its objects. */
  readonly directory: string
  readonly store: S3BlobStore
  /** As a device carries out grants. */
  readonly client: UndiciBlobClient
  readonly clock: TestClock
  close(): Promise<void>
}

/** A double and, without its own tries, a store on it. */
export async function open(
  double: Partial<S3DoubleOptions> = {},
  options: Partial<S3BlobStoreOptions> = {},
): Promise<Opened> {
  const served = await serve(double)
  try {
    const store = await openStore(served, options)
    const client = undiciBlobClient({ baseUrl: 'ws://127.0.0.1:1/sync' })
    const close = async () => {
      await client.close()
      await store.close()
      await served.close()
    }
    return { ...served, store, client, close }
  } catch (error) {
    await served.close()
    throw error
  }
}

export type Served = Pick<Opened, 'double' | 'directory' | 'clock' | 'close'>

/** A double in a directory of its own. */
export async function serve(options: Partial<S3DoubleOptions> = {}): Promise<Served> {
  const clock = new TestClock()
  const directory = await mkdtemp(join(tmpdir(), 'tidemark-store-s3-'))
  const double = await S3Double.start({ directory, clock, ...options })
  const close = async () => {
    await double.close()
    await rm(directory, { recursive: true, force: true })
  }
  return { double, directory, clock, close }
}

export const openStore = (
  { double, clock }: Pick<Served, 'double' | 'clock'>,
  options: Partial<S3BlobStoreOptions> = {},
): Promise<S3BlobStore> =>
  S3BlobStore.open({
    bucket: 'bucket',
    endpoint: double.endpoint,
    credentials: double.credentials,
    clock,
    attemptsMax: 1,
    ...options,
  })
