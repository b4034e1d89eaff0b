import {
  bytesToHex,
  CHUNK_BYTES_MAX,
  type ChunkId,
  ChunkMismatchError,
  ChunksMissingError,
  DOWNLOAD_RANGE_BYTES_MAX,
  IDS_PER_REQUEST_MAX,
  INLINE_BYTES_MAX,
  LimitError,
  TRANSFER_BYTES_IN_FLIGHT_MAX,
} from '@tidemark/protocol'
import type { FetchOptions } from '../binding.js'
import { type ManifestEntry, readManifest } from '../chunking/read-manifest.js'
import type { Version } from '../core/view-entry.js'
import { Budget } from '../memory/budget.js'
import type { ByteSink, PlacedChunk } from '../ports/byte-source.js'
import { ChunkBatch } from './chunk-batch.js'
import { ChunkFetcher } from './chunk-fetcher.js'
import { HeldChunks } from './held-chunks.js'
import { SMALL_BODY_BYTES_MAX } from './lane.js'
import type { LocalChunks } from './local-chunks.js'
import { LocalReader } from './local-reader.js'
import { NodeReader } from './node-reader.js'
import type { FetchedChunk } from './range-chunks.js'
import { TaskGroup } from './task-group.js'
import type { TransferParts } from './transfer-parts.js'

/** Ranges of large files on their way at once. */
const RANGES_MAX = 8
/** One question to the hub is about this many bytes of a file: its answer is used up within a grant's time. */
const BATCH_BYTES = 32 * 1024 * 1024
const BATCH_CHUNKS_MAX = 1_024
/** Batches of one file under way: the next one is located while the last ranges of this one arrive. */
const BATCHES_MAX = 2
/** Small files have a budget of their own: they overtake large ones. */
const SMALL_RANGES_MAX = 4
const SMALL_GAP_BYTES_MAX = 64 * 1024
/** What `stream` fetches together and holds in memory. */
const STREAM_WINDOW_BYTES = 8 * 1024 * 1024

export interface DownloadOptions extends FetchOptions {
  /** Bytes of the file that the sink has, in all, what it held before included; never decreases. */
  onProgress?(durableBytes: number): void
}

export interface DownloaderParts extends TransferParts {
  /** Consulted before the hub. */
  readonly local?: Pick<LocalChunks, 'get'>
}

/** Brings files from the hub. Every chunk is hashed before anybody sees it. */
export class Downloader {
  readonly #local: LocalReader
  readonly #chunks: ChunkFetcher
  readonly #small: ChunkFetcher
  readonly #nodes: NodeReader

  constructor(private readonly parts: DownloaderParts) {
    this.#local = new LocalReader(parts.hasher, parts.local)
    this.#chunks = new ChunkFetcher(parts, new Budget(TRANSFER_BYTES_IN_FLIGHT_MAX, RANGES_MAX), {
      rangeBytesMax: DOWNLOAD_RANGE_BYTES_MAX,
      gapBytesMax: 0,
    })
    this.#small = new ChunkFetcher(
      parts,
      new Budget(SMALL_RANGES_MAX * DOWNLOAD_RANGE_BYTES_MAX, SMALL_RANGES_MAX),
      { rangeBytesMax: DOWNLOAD_RANGE_BYTES_MAX, gapBytesMax: SMALL_GAP_BYTES_MAX },
    )
    this.#nodes = new NodeReader(this.#small, this.#local)
  }

  /**
   * Writes a version's bytes, about in order. A chunk that the sink holds from an earlier attempt is kept.
   * Without a session it waits for one until `signal` aborts. A failed call leaves in the sink what came.
   *
   * @throws {ChunksMissingError} the hub lacks some of it; {ChunkMismatchError} what it has is wrong;
   *   {DecodeError}, {LimitError} the manifest is none; what the sink throws; the signal's reason.
   */
  async fetch(
    version: Pick<Version, 'root' | 'height' | 'size'>,
    sink: ByteSink,
    options: DownloadOptions = {},
  ): Promise<void> {
    const { root, height, size } = version
    const file = new FileProgress(options)
    if (height === 0 && size > CHUNK_BYTES_MAX) {
      throw new LimitError('a file of one chunk is too long', 'CHUNK_BYTES_MAX', size)
    }
    if (size === 0) {
      this.#checkEmpty(root)
      return
    }
    const group = new TaskGroup(options.signal)
    const batches = new Budget(BATCHES_MAX, BATCHES_MAX)
    const held = new HeldChunks()
    const whole = group.run(async () => {
      const { signal } = group
      const nodes = {
        hasher: this.parts.hasher,
        fetchNodes: (ids: readonly ChunkId[]) => this.#nodes.read(ids, signal),
      }
      for (const each of options.held ?? []) await held.add(each, nodes, signal)
      let batch = new ChunkBatch()
      const start = async (): Promise<void> => {
        const full = batch
        batch = new ChunkBatch()
        const release = await batches.take(1, signal)
        group.spawn(() => this.#fetchBatch(full, sink, file, signal).finally(release))
      }
      for await (const entry of readManifest(root, height, size, nodes)) {
        signal.throwIfAborted()
        if (await this.#isAtHand(entry, sink, held)) {
          file.add(entry.length)
          continue
        }
        batch.add(entry)
        if (batch.bytes >= BATCH_BYTES || batch.count >= BATCH_CHUNKS_MAX) await start()
      }
      if (batch.count > 0) await start()
    })
    await whole.finally(() => held.close())
  }

  /**
   * Writes chunks of a file whose version is not known yet: those that the hub has by now.
   * @returns those that came, and were verified. @throws what the retry policy gives up on; what the sink throws;
   *   {DecodeError} one chunk with two lengths; the signal's reason.
   */
  async fetchChunks(
    chunks: readonly PlacedChunk[],
    sink: ByteSink,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<readonly PlacedChunk[]> {
    const came: PlacedChunk[] = []
    for (let from = 0; from < chunks.length; from += BATCH_CHUNKS_MAX) {
      const asked = chunks.slice(from, from + BATCH_CHUNKS_MAX)
      const batch = new ChunkBatch()
      for (const chunk of asked) batch.add(chunk)
      const lacking = new Set(batch.ids)
      const deliver = async (delivered: readonly FetchedChunk[]): Promise<void> => {
        await batch.write(delivered, sink)
        for (const { id } of delivered) lacking.delete(id)
      }
      const isWanted = (id: ChunkId, length: number): boolean => batch.isWanted(id, length)
      await this.#chunks.fetch({ ids: batch.ids, isWanted, deliver }, signal)
      came.push(...asked.filter(({ id }) => !lacking.has(id)))
    }
    return came
  }

  /**
   * The bytes `[start, end)` of a version, in order, a few MiB at a time; only chunks that hold some of
   * them are fetched. Leaving the loop ends it.
   *
   * @throws as `fetch`.
   */
  async *stream(
    version: Pick<Version, 'root' | 'height' | 'size'>,
    { start, end }: { readonly start: number; readonly end: number },
    options: Pick<DownloadOptions, 'signal'> = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { root, height, size } = version
    if (size === 0) this.#checkEmpty(root)
    if (start >= end) return
    const signal = options.signal ?? new AbortController().signal
    const entries = readManifest(root, height, size, {
      hasher: this.parts.hasher,
      fetchNodes: (ids) => this.#nodes.read(ids, signal),
      skips: (node) => node.offset + node.length <= start,
    })
    let window: ManifestEntry[] = []
    let bytes = 0
    for await (const entry of entries) {
      if (entry.offset + entry.length <= start) continue
      if (entry.offset >= end) break
      window.push(entry)
      bytes += entry.length
      if (bytes < STREAM_WINDOW_BYTES && window.length < BATCH_CHUNKS_MAX) continue
      yield this.#window(window, { start, end }, signal)
      window = []
      bytes = 0
    }
    if (window.length > 0) yield this.#window(window, { start, end }, signal)
  }

  /** Consecutive chunks in one piece of memory, cut to the range. */
  async #window(
    entries: readonly ManifestEntry[],
    { start, end }: { readonly start: number; readonly end: number },
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const base = entries[0]!.offset
    const last = entries.at(-1)!
    const memory = new Uint8Array(last.offset + last.length - base)
    const sink: ByteSink = { write: async (offset, part) => memory.set(part, offset - base) }
    const batch = new ChunkBatch()
    for (const entry of entries) if (!(await this.#isAtHand(entry, sink))) batch.add(entry)
    if (batch.count > 0) await this.#fetchBatch(batch, sink, new FileProgress({}), signal)
    return memory.subarray(Math.max(0, start - base), end - base)
  }

  /**
   * Many files of one chunk, each at most INLINE_BYTES_MAX bytes, in few requests. Those that are missing,
   * longer, or wrong wherever they are, are left out: `fetch` says why. Without a session all are that are
   * not at hand. All of them are in memory at once: the caller bounds how many it asks for.
   *
   * @throws what the retry policy gives up on; the signal's reason.
   */
  async fetchSmall(
    roots: readonly ChunkId[],
    options: Pick<DownloadOptions, 'signal'> = {},
  ): Promise<Map<ChunkId, Uint8Array>> {
    const found = new Map<ChunkId, Uint8Array>()
    const lacking: ChunkId[] = []
    const empty = bytesToHex(this.parts.hasher.sha256(new Uint8Array()))
    for (const root of new Set(roots)) {
      options.signal?.throwIfAborted()
      const bytes = root === empty ? new Uint8Array() : await this.#local.read(root)
      if (bytes) found.set(root, bytes)
      else lacking.push(root)
    }
    if (!this.parts.authority()) return found
    const group = new TaskGroup(options.signal)
    await group.run(async () => {
      for (let from = 0; from < lacking.length; from += IDS_PER_REQUEST_MAX) {
        const ids = new Set(lacking.slice(from, from + IDS_PER_REQUEST_MAX))
        await this.#small.fetch(
          {
            ids,
            isWanted: (_, length) => length <= INLINE_BYTES_MAX,
            deliver: async (chunks) => {
              // Copied: a small file must not keep the range around it in memory.
              for (const { id, bytes } of chunks) found.set(id, bytes.slice())
            },
          },
          group.signal,
        )
      }
    })
    return found
  }

  async #fetchBatch(
    batch: ChunkBatch,
    sink: ByteSink,
    file: FileProgress,
    signal: AbortSignal,
  ): Promise<void> {
    const fetcher = batch.bytes <= SMALL_BODY_BYTES_MAX ? this.#small : this.#chunks
    const { missing, wrong } = await fetcher.fetch(
      {
        ids: batch.ids,
        isWanted: (id, length) => batch.isWanted(id, length),
        deliver: async (chunks) => file.add(await batch.write(chunks, sink)),
      },
      signal,
    )
    if (wrong[0]) throw wrong[0]
    if (missing.length > 0) throw new ChunksMissingError(missing)
  }

  /** Whether the sink has this chunk, or got it from the local chunks, or from a file that is held. */
  async #isAtHand(
    { id, offset, length }: ManifestEntry,
    sink: ByteSink,
    held?: HeldChunks,
  ): Promise<boolean> {
    if (sink.has?.({ id, offset, length })) return true
    const left = await sink.read?.(offset, length)
    if (left?.length === length && (await this.#local.isChunk(id, left))) return true
    const local = await this.#local.read(id)
    if (local?.length === length) {
      await sink.write(offset, local)
      return true
    }
    const bytes = await held?.read(id, length)
    if (bytes?.length !== length || !(await this.#local.isChunk(id, bytes))) return false
    await sink.write(offset, bytes)
    return true
  }

  #checkEmpty(root: ChunkId): void {
    const actual = bytesToHex(this.parts.hasher.sha256(new Uint8Array()))
    if (actual !== root) throw new ChunkMismatchError(root, actual)
  }
}

/** Counts what the sink has. */
class FileProgress {
  #bytes = 0

  constructor(private readonly options: DownloadOptions) {}

  add(bytes: number): void {
    this.#bytes += bytes
    this.options.onProgress?.(this.#bytes)
  }
}
