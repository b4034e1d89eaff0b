import type { BlobAuthority, Budget, BuiltPack, Hasher, PackFormat } from '@tidemark/engine'
import {
  BLOB_BYTES_MAX,
  type BlobId,
  BlobNotFoundError,
  type BlobStore,
  bytesToHex,
  type ChunkId,
  ChunkMismatchError,
  type ChunkPlace,
  type Grant,
  IDS_PER_REQUEST_MAX,
  INLINE_BYTES_MAX,
  LimitError,
  type Located,
  type SpaceName,
  StoreError,
  SyncError,
  type WantedVersion,
} from '@tidemark/protocol'
import type { Logger } from '../logger.js'
import type { BlobIndex, Use } from './blob-index.js'
import { BlobLocks } from './blob-locks.js'
import { BlobReader, newReadingBudget } from './blob-reader.js'
import { BlobTrust } from './blob-trust.js'
import { type ChunkRow, placesOf } from './chunk-row.js'
import { type InlineChunkBytes, InlinePacker } from './inline-packer.js'
import type { Locator } from './locator.js'
import { mapLimited } from './map-limited.js'
import type { SweptBlobs } from './swept-blobs.js'
import { VersionCheck } from './version-check.js'

/** Blobs read back and verified at once for one request: others have their turn. */
const VERIFY_CONCURRENCY = 2
/** Blobs of which it is remembered that they are no packs. */
const REFUSED_MAX = IDS_PER_REQUEST_MAX
/** Questions to the store at once. */
const STAT_CONCURRENCY = 32

export interface HubBlobAuthorityParts {
  readonly space: SpaceName
  readonly blobs: BlobStore
  readonly index: BlobIndex
  readonly packs: Pick<PackFormat, 'verify' | 'build' | 'plain'>
  readonly hasher: Hasher
  readonly logger: Logger
  /** Looks for blobs that are not indexed before the first answer, not only when the index is empty. */
  readonly rebuildAtStart?: boolean
  /** A blob that was indexed is not in the store any more. */
  readonly onBlobLost?: () => void
  /** What it shares with the authorities of other spaces. @default a budget of its own */
  readonly reading?: Budget
}

/** What a rebuild found. */
export interface RebuildResult {
  readonly blobs: number
  readonly chunks: number
  /** Blobs that are no pack, or claim chunks that they do not hold. They stay, and are not indexed. */
  readonly refused: number
}

/**
 * The hub's word on the bytes of one space. It says "have" only of chunks that it has hashed itself, in a
 * blob that the store has now.
 *
 * An empty index over a store that is not empty is rebuilt before the first answer.
 */
export class HubBlobAuthority implements BlobAuthority {
  readonly #parts: HubBlobAuthorityParts
  readonly #inline: InlinePacker
  readonly #versions: VersionCheck
  readonly #reader: BlobReader
  readonly #trust: BlobTrust
  readonly #locks = new BlobLocks()
  /** No packs, whatever becomes of the store: their ids say which bytes they are. */
  readonly #refused = new Set<BlobId>()
  /** This process has seen a blob that was gone. */
  #hasLost = false
  #ready: Promise<void> | undefined

  constructor(parts: HubBlobAuthorityParts) {
    this.#parts = parts
    this.#inline = new InlinePacker((chunks) => this.#storeInline(chunks))
    this.#reader = new BlobReader({ ...parts, reading: parts.reading ?? newReadingBudget() })
    this.#trust = new BlobTrust({
      ...parts,
      reader: this.#reader,
      locks: this.#locks,
      onDamaged: parts.onBlobLost,
    })
    this.#versions = new VersionCheck({
      ...parts,
      places: (chunks) => this.#places(chunks, 'name'),
      distrust: (blob) => this.#trust.check([blob]),
    })
  }

  async need(chunks: readonly ChunkId[], signal?: AbortSignal): Promise<readonly ChunkId[]> {
    const places = await this.#places(chunks, 'need', signal)
    return [...new Set(chunks)].filter((chunk) => !places.has(chunk))
  }

  async grantPuts(
    blobs: readonly { id: BlobId; length: number }[],
    signal?: AbortSignal,
  ): Promise<readonly (Grant | null)[]> {
    checkCount(blobs.length)
    for (const { length } of blobs) {
      if (!Number.isSafeInteger(length) || length < 1 || length > BLOB_BYTES_MAX) {
        throw new LimitError(`a blob has 1 to ${BLOB_BYTES_MAX} bytes`, 'BLOB_BYTES_MAX', length)
      }
    }
    const stored = new Set(
      await this.stored(
        blobs.map(({ id }) => id),
        signal,
      ),
    )
    const { space, blobs: store } = this.#parts
    return Promise.all(blobs.map((blob) => (stored.has(blob.id) ? null : store.grantPut(space, blob))))
  }

  async stored(blobs: readonly BlobId[], signal?: AbortSignal): Promise<readonly BlobId[]> {
    checkCount(blobs.length)
    await this.#open()
    const { space, index, blobs: store } = this.#parts
    const lengths = await mapLimited(blobs, STAT_CONCURRENCY, (id) => store.stat(space, id))
    const there = blobs.filter((_, i) => lengths[i] !== undefined)
    const good = there.filter((id) => !this.#trust.isDamaged(id))
    const known = new Set(await index.renewBlobs(space, good))
    const unread = [...new Set(there.filter((id) => !known.has(id) && !this.#refused.has(id)))]
    await mapLimited(unread, VERIFY_CONCURRENCY, async (id) => {
      signal?.throwIfAborted()
      if (await this.#readAndIndex(id, signal)) known.add(id)
      else if (!this.#refused.has(id)) await this.#makeRoom(id, signal)
    })
    return [...new Set(blobs)].filter((id) => known.has(id))
  }

  async putInline(
    chunks: readonly { id: ChunkId; bytes: Uint8Array }[],
    signal?: AbortSignal,
  ): Promise<void> {
    checkCount(chunks.length)
    for (const { id, bytes } of chunks) {
      if (bytes.length > INLINE_BYTES_MAX) {
        throw new LimitError(
          `a chunk in a message has at most ${INLINE_BYTES_MAX} bytes`,
          'INLINE_BYTES_MAX',
          bytes.length,
        )
      }
      const actual = bytesToHex(this.#parts.hasher.sha256(bytes))
      if (actual !== id) throw new ChunkMismatchError(id, actual)
    }
    const needed = new Set(
      await this.need(
        chunks.map(({ id }) => id),
        signal,
      ),
    )
    const missing = chunks.filter(({ id }) => needed.has(id))
    if (missing.length > 0) await this.#inline.put(missing)
  }

  async locate(
    chunks: readonly ChunkId[],
    {
      distrusted = [],
      signal,
    }: { readonly distrusted?: readonly BlobId[]; readonly signal?: AbortSignal } = {},
  ): Promise<Pick<Located, 'blobs' | 'chunks'>> {
    await this.#open()
    // Advice: a store that cannot be read now is found out by whoever reads.
    await this.#trust.check(distrusted, signal).catch((error: unknown) => {
      if (!(error instanceof StoreError)) throw error
    })
    const places = await this.#places(chunks, 'read', signal)
    const numbers = new Map<BlobId, number>()
    const located: ChunkPlace[] = []
    for (const [id, { blob, offset, storedLength, codec, length }] of places) {
      const number = numbers.get(blob) ?? numbers.size
      numbers.set(blob, number)
      located.push({ id, blob: number, offset, storedLength, codec, length })
    }
    const { space, blobs: store } = this.#parts
    const granted = [...numbers.keys()].map(async (id) => ({ id, grant: await store.grantGet(space, id) }))
    return { blobs: await Promise.all(granted), chunks: located }
  }

  /**
   * Those of these contents, which registers name, that the hub cannot give out whole. What it has of them is not
   * condemned any more. @throws {StoreError}, the signal's reason.
   */
  lacking<V extends WantedVersion>(versions: readonly V[], signal?: AbortSignal): Promise<V[]> {
    return this.#versions.lacking(versions, signal)
  }

  /**
   * Those of these contents of which the hub has something, and other bytes may be gone: they were used long ago, or
   * blobs were lost or damaged since they were stored. What was never here may be on its way.
   */
  async unsure<V extends WantedVersion>(versions: readonly V[]): Promise<V[]> {
    const { space, index } = this.#parts
    const rows = await index.rows(
      space,
      versions.map(({ root }) => root),
    )
    await this.#trust.load()
    const hasDamage = this.#trust.damaged.length > 0
    return versions.filter(({ height }, i) => {
      const row = rows[i]
      if (!row) return false
      if (!index.isFresh(row) || (height > 0 && (hasDamage || this.#hasLost))) return true
      return hasDamage && placesOf(row).some(({ blob }) => this.#trust.isDamaged(blob))
    })
  }

  /**
   * Verifies and indexes a blob whose bytes are at hand and durable in the store.
   * @returns false, with a warning in the log, where it is no pack or holds a chunk that is not what its id
   *   says: then nothing of it is indexed.
   */
  async indexBlob(id: BlobId, bytes: Uint8Array): Promise<boolean> {
    return this.#locks.run(id, async () => {
      const { space, blobs: store } = this.#parts
      // It was deleted between its arrival and now: the upload has to come again.
      if ((await store.stat(space, id)) === undefined) throw new BlobNotFoundError(id)
      return (await this.#verifyAndAdd(id, bytes)) !== undefined
    })
  }

  /** The store says that these came: what is not known yet is verified and indexed. @throws {StoreError} */
  async created(blobs: readonly BlobId[]): Promise<void> {
    await this.#open()
    const { space, index } = this.#parts
    const indexed = await index.hasBlobs(space, blobs)
    const unread = blobs.filter((_, i) => !indexed[i])
    await mapLimited(unread, VERIFY_CONCURRENCY, async (id) => void (await this.#readAndIndex(id)))
  }

  /** What the sweep needs of it. */
  get swept(): SweptBlobs {
    const { space, blobs: store, packs, index } = this.#parts
    return {
      reindex: async (signal) => void (await this.rebuildIndex(signal)),
      readNodes: (ids) => this.#versions.read(ids),
      readBlob: (id) => this.#reader.read(id, async (bytes) => bytes),
      indexContents: async (id) => void (await this.#readAndIndex(id)),
      rewrite: async (from, chunks) => {
        const pack = await packs.build(chunks)
        await this.#storePack(pack, () => index.sweeping.move(space, from, pack))
      },
      remove: (id, removal) =>
        this.#locks.run(id, async () => {
          if (!(await index.sweeping.remove(space, id, removal))) return false
          await store.delete(space, id)
          return true
        }),
    }
  }

  /** Reads every blob that is not indexed and indexes it, and those that were damaged again. @throws the signal's reason: what was indexed stays so. */
  async rebuildIndex(signal?: AbortSignal): Promise<RebuildResult> {
    const { space, index, blobs: store, logger } = this.#parts
    const result = { blobs: 0, chunks: 0, refused: 0 }
    const settle = async (group: readonly BlobId[]): Promise<void> => {
      const indexed = await index.hasBlobs(space, group)
      const unread = group.filter((id, i) => !indexed[i] || this.#trust.isDamaged(id))
      await mapLimited(unread, VERIFY_CONCURRENCY, async (id) => {
        signal?.throwIfAborted()
        const chunks = await this.#readAndIndex(id, signal)
        if (chunks === undefined) result.refused += 1
        else {
          result.blobs += 1
          result.chunks += chunks
        }
      })
    }
    let group: BlobId[] = []
    for await (const id of store.list(space)) {
      signal?.throwIfAborted()
      group.push(id)
      if (group.length === IDS_PER_REQUEST_MAX) {
        await settle(group)
        group = []
      }
    }
    await settle(group)
    if (result.blobs > 0 || result.refused > 0) logger.info('blob-index-rebuilt', { space, ...result })
    return result
  }

  #open(): Promise<void> {
    this.#ready ??= (async () => {
      const { space, index, rebuildAtStart } = this.#parts
      await this.#trust.load()
      if (rebuildAtStart || (await index.isEmpty(space))) await this.rebuildIndex()
    })().catch((error: unknown) => {
      this.#ready = undefined
      throw error
    })
    return this.#ready
  }

  /** For each chunk that the hub has, one place in a blob that exists; few blobs rather than many. */
  async #places(chunks: readonly ChunkId[], use: Use, signal?: AbortSignal): Promise<Map<ChunkId, Locator>> {
    checkCount(chunks.length)
    await this.#open()
    signal?.throwIfAborted()
    const { space, index, blobs: store } = this.#parts
    const distinct = [...new Set(chunks)]
    const candidates = new Map<ChunkId, Locator[]>()
    const rows = await index.rows(space, distinct)
    const all = rows.map((row) => (row ? this.#usable(row, use) : []))
    for (const [i, chunk] of distinct.entries()) candidates.set(chunk, all[i]!)
    const exists = new Map<BlobId, boolean>()
    const result = new Map<ChunkId, Locator>()
    // Each turn asks the store about one blob per chunk that has no place yet; gone blobs need another.
    while (candidates.size > 0) {
      const asked = new Set<BlobId>()
      for (const [chunk, locators] of candidates) {
        const place = locators.find(({ blob }) => exists.get(blob))
        const open = locators.filter(({ blob }) => !exists.has(blob))
        if (place) result.set(chunk, place)
        if (place || open.length === 0) candidates.delete(chunk)
        else if (!open.some(({ blob }) => asked.has(blob))) asked.add(open[0]!.blob)
      }
      const ids = [...asked]
      const lengths = await mapLimited(ids, STAT_CONCURRENCY, (id) => store.stat(space, id))
      for (const [i, id] of ids.entries()) exists.set(id, lengths[i] !== undefined)
    }
    await this.#dropGone(distinct, all, exists)
    const stale = distinct.filter((chunk, i) => result.has(chunk) && !index.isFresh(rows[i]))
    if (stale.length === 0) return result
    const kept = await index.renew(space, stale, use)
    for (const chunk of stale) if (!kept.has(chunk)) result.delete(chunk)
    return result
  }

  /** A reader may find that a damaged blob is good where its chunk is; nobody else counts on it. */
  #usable(row: ChunkRow, use: Use): Locator[] {
    if (use === 'need' && row.condemnedMs > 0) return []
    const places = placesOf(row)
    const good = places.filter(({ blob }) => !this.#trust.isDamaged(blob))
    return use === 'read' && good.length === 0 ? places : good
  }

  /** A blob that somebody removed from the store: its places are false, and are removed alone. */
  async #dropGone(
    chunks: readonly ChunkId[],
    locators: readonly (readonly Locator[])[],
    exists: ReadonlyMap<BlobId, boolean>,
  ): Promise<void> {
    const { space, logger } = this.#parts
    for (const [blob, there] of exists) {
      if (there) continue
      const lost = chunks.filter((_, i) => locators[i]!.some((locator) => locator.blob === blob))
      if (await this.#drop(blob, lost)) logger.warn('blob-missing', { space, blob, chunks: lost.length })
    }
  }

  /** Compares the index with what the store lists: each blob that is gone is dropped. @returns how many. */
  async dropLost(): Promise<number> {
    const { space, index, blobs: store, logger } = this.#parts
    const listed = store.list(space)[Symbol.asyncIterator]()
    let next = await listed.next()
    let count = 0
    for await (const page of index.blobs(space)) {
      for (const blob of page) {
        while (!next.done && next.value < blob) next = await listed.next()
        if (!next.done && next.value === blob) continue
        // Put while the list was read, perhaps.
        if ((await store.stat(space, blob)) !== undefined) continue
        if (await this.#drop(blob, [])) count += 1
      }
    }
    if (count > 0) logger.warn('blobs-missing', { space, blobs: count })
    return count
  }

  async #drop(blob: BlobId, chunks: readonly ChunkId[]): Promise<boolean> {
    const { space, index, blobs: store, onBlobLost } = this.#parts
    const isGone = async () => (await store.stat(space, blob)) === undefined
    const isLost = await index.drop(space, blob, chunks, isGone)
    if (!isLost) return false
    this.#hasLost = true
    await this.#trust.forget(blob)
    onBlobLost?.()
    return true
  }

  /**
   * Somebody has a blob that is damaged in the store, where it would stand in the way of the good one: after a second
   * look it is removed, and they are told that it is not stored.
   */
  async #makeRoom(id: BlobId, signal: AbortSignal | undefined): Promise<void> {
    const { space, blobs: store } = this.#parts
    await this.#locks.run(id, async () => {
      if (await this.#reader.isDamaged(id, signal)) await store.delete(space, id)
    })
  }

  /** @returns how many chunks are in it, `undefined` where it was refused or is gone. */
  #readAndIndex(id: BlobId, signal?: AbortSignal): Promise<number | undefined> {
    return this.#locks.run(id, async () => {
      if (this.#refused.has(id)) return undefined
      return this.#reader.read(id, (bytes) => this.#verifyAndAdd(id, bytes), signal)
    })
  }

  async #verifyAndAdd(id: BlobId, bytes: Uint8Array): Promise<number | undefined> {
    const { space, packs, index, logger } = this.#parts
    let chunks: Awaited<ReturnType<PackFormat['verify']>>
    try {
      chunks = await packs.verify(bytes)
    } catch (error) {
      if (!(error instanceof SyncError)) throw error
      logger.warn('blob-refused', { space, blob: id, code: error.code, message: error.message })
      const [oldest] = this.#refused
      if (this.#refused.size >= REFUSED_MAX && oldest !== undefined) this.#refused.delete(oldest)
      this.#refused.add(id)
      return undefined
    }
    await index.add(space, id, chunks)
    await this.#trust.forget(id)
    return chunks.length
  }

  async #storeInline(chunks: readonly InlineChunkBytes[]): Promise<void> {
    const { space, packs, index } = this.#parts
    const pack = await packs.build(chunks)
    await this.#storePack(pack, () => index.add(space, pack.id, pack.chunks))
  }

  #storePack({ id, bytes }: BuiltPack, addToIndex: () => Promise<void>): Promise<void> {
    const { space, blobs: store } = this.#parts
    return this.#locks.run(id, async () => {
      // A store keeps what it has under this id.
      if (this.#trust.isDamaged(id)) await store.delete(space, id)
      await store.put(space, id, bytes)
      await addToIndex()
      await this.#trust.forget(id)
    })
  }
}

function checkCount(count: number): void {
  if (count > IDS_PER_REQUEST_MAX) {
    throw new LimitError(`at most ${IDS_PER_REQUEST_MAX} ids in a request`, 'IDS_PER_REQUEST_MAX', count)
  }
}
