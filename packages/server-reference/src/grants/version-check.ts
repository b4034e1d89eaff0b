import { eachNodeOnce, type Hasher, type PackFormat, readManifest } from '@tidemark/engine'
import {
  type BlobId,
  BlobNotFoundError,
  type BlobStore,
  bytesToHex,
  type ChunkId,
  ChunkMismatchError,
  ChunksMissingError,
  DecodeError,
  IDS_PER_REQUEST_MAX,
  LimitError,
  type SpaceName,
  type WantedVersion,
} from '@tidemark/protocol'
import type { Locator } from './locator.js'

export interface VersionCheckParts {
  readonly space: SpaceName
  readonly blobs: Pick<BlobStore, 'read'>
  readonly packs: Pick<PackFormat, 'plain'>
  readonly hasher: Hasher
  /** Its bytes are not what they should be: it is looked at before this resolves. */
  distrust(blob: BlobId): Promise<void>
  /** For each chunk that the hub has one place; at most IDS_PER_REQUEST_MAX chunks. */
  places(chunks: readonly ChunkId[]): Promise<ReadonlyMap<ChunkId, Locator>>
}

/** Whether the hub has all bytes of a content: manifests are read, chunks are looked up. */
export class VersionCheck {
  constructor(private readonly parts: VersionCheckParts) {}

  /** Those of which something is missing, or whose manifest is damaged. @throws {StoreError}, the signal's reason. */
  async lacking<V extends WantedVersion>(versions: readonly V[], signal?: AbortSignal): Promise<V[]> {
    const single = versions.filter(({ height, size }) => height === 0 && size > 0)
    const missing = new Set(await this.#missing(single.map(({ root }) => root)))
    const lacking: V[] = []
    for (const version of versions) {
      const isLacking =
        version.height === 0 ? missing.has(version.root) : !(await this.#isWhole(version, signal))
      if (isLacking) lacking.push(version)
    }
    return lacking
  }

  /**
   * Manifest nodes, verified.
   * @throws {ChunksMissingError}, {ChunkMismatchError}, {DecodeError}, {BlobNotFoundError}, {StoreError}, {RangeError}
   */
  async read(ids: readonly ChunkId[]): Promise<readonly Uint8Array[]> {
    const places = await this.parts.places(ids)
    return Promise.all(
      ids.map((id) => {
        const place = places.get(id)
        if (!place) throw new ChunksMissingError([id])
        return this.#read(id, place)
      }),
    )
  }

  async #read(id: ChunkId, { blob, offset, storedLength, ...form }: Locator): Promise<Uint8Array> {
    const { space, blobs, packs, hasher, distrust } = this.parts
    try {
      const stored = await blobs.read(space, blob, { offset, length: storedLength })
      const bytes = await packs.plain(stored, form)
      const actual = bytesToHex(hasher.sha256(bytes))
      if (actual !== id) throw new ChunkMismatchError(id, actual)
      return bytes
    } catch (error) {
      if (isWrong(error)) await distrust(blob)
      throw error
    }
  }

  async #isWhole({ root, height, size }: WantedVersion, signal: AbortSignal | undefined): Promise<boolean> {
    const entries = readManifest(root, height, size, {
      hasher: this.parts.hasher,
      fetchNodes: async (ids) => {
        signal?.throwIfAborted()
        return this.read(ids)
      },
      skips: eachNodeOnce(),
    })
    let ids: ChunkId[] = []
    try {
      for await (const { id } of entries) {
        ids.push(id)
        if (ids.length < IDS_PER_REQUEST_MAX) continue
        if ((await this.#missing(ids)).length > 0) return false
        ids = []
      }
    } catch (error) {
      if (isDamage(error)) return false
      throw error
    }
    return (await this.#missing(ids)).length === 0
  }

  async #missing(ids: readonly ChunkId[]): Promise<ChunkId[]> {
    const missing: ChunkId[] = []
    for (let from = 0; from < ids.length; from += IDS_PER_REQUEST_MAX) {
      const asked = ids.slice(from, from + IDS_PER_REQUEST_MAX)
      const places = await this.parts.places(asked)
      missing.push(...asked.filter((id) => !places.has(id)))
    }
    return missing
  }
}

/** What is there is not the chunk. A blob that is too short: RangeError. */
const isWrong = (error: unknown): boolean =>
  error instanceof ChunkMismatchError || error instanceof DecodeError || error instanceof RangeError

/** The bytes are gone or wrong; everything else is a failure of the moment. */
export const isDamage = (error: unknown): boolean =>
  isWrong(error) ||
  error instanceof ChunksMissingError ||
  error instanceof BlobNotFoundError ||
  error instanceof LimitError
