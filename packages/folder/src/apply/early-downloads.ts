import type { PlacedChunk, UploadHint, Version } from '@tidemark/engine'
import type { ChunkId, UploadId } from '@tidemark/protocol'
import type { ApplyContext } from '../apply-context.js'
import type { OpenFile } from '../ports/file-system.js'
import { FILE_MODE } from './mode.js'
import { ROOM_RESERVE_BYTES } from './room.js'
import { StagingArea } from './staging.js'

/** More at once would only share one disk and one link. */
const AT_ONCE_MAX = 2
/** Of a file that is on its way, remembered until its entry comes; about 150 bytes each. */
const CHUNKS_MAX = 262_144
/** Who sends a file and says nothing of it for so long has given up, or is away. */
const SILENCE_MS_MAX = 600_000

/** What came of a file before its entry did. */
export interface EarlyPart {
  /** In staging; whatever is behind or between what came is no part of the file. */
  readonly path: string
  /** What came. */
  readonly bytes: number
  /** Whether this chunk was verified and written there. */
  has(chunk: PlacedChunk): boolean
}

interface Early {
  readonly upload: UploadId
  readonly size: number
  readonly path: string
  readonly file: OpenFile
  /** What hints named until now, bytes `[start, end)`: none of them overlap. */
  readonly parts: { readonly start: number; readonly end: number }[]
  readonly waiting: PlacedChunk[]
  /** By offset. */
  readonly came: Map<number, PlacedChunk>
  readonly abort: AbortController
  root: ChunkId | undefined
  heardMs: number
  running: Promise<void>
}

/**
 * Fetches large files into staging while others still send them: what hints say, two files at once. It only helps:
 * whatever fails is left out, and comes when the entry does. What comes of nothing is removed.
 */
export class EarlyDownloads {
  readonly #files = new Map<UploadId, Early>()
  readonly #area: StagingArea
  #isClosed = false

  constructor(
    private readonly ctx: ApplyContext,
    private readonly monotonicMs: () => number,
  ) {
    this.#area = new StagingArea(ctx.files, ctx.staging, () => ctx.clock.nowMs())
  }

  /** A part of a file is at the hub, or all of it is. */
  hint({ upload, size, offset, chunks, root }: UploadHint): void {
    const early = this.#files.get(upload) ?? (chunks.length > 0 ? this.#begin(upload, size) : undefined)
    if (!early || early.size !== size) return
    early.heardMs = this.monotonicMs()
    early.root = root ?? early.root
    const end = chunks.reduce((sum, { length }) => sum + length, offset)
    // Written over each other, chunks that were verified would not be there any more.
    if (early.parts.some((part) => offset < part.end && part.start < end)) return
    if (early.came.size + early.waiting.length + chunks.length > CHUNKS_MAX) return
    early.parts.push({ start: offset, end })
    let at = offset
    for (const { id, length } of chunks) {
      early.waiting.push({ id, offset: at, length })
      at += length
    }
    early.running = early.running.then(() => this.#fetch(early))
  }

  /** What came of this version until now, whose file is the caller's from now on. */
  async take({ root, size }: Pick<Version, 'root' | 'size'>): Promise<EarlyPart | undefined> {
    const early = [...this.#files.values()].find((each) => each.root === root && each.size === size)
    if (!early) return undefined
    await this.#end(early)
    const has = ({ id, offset, length }: PlacedChunk): boolean => {
      const came = early.came.get(offset)
      return came?.id === id && came.length === length
    }
    const bytes = [...early.came.values()].reduce((sum, { length }) => sum + length, 0)
    return { path: early.path, bytes, has }
  }

  /** Removes what comes of nothing. */
  prune(): void {
    for (const early of this.#files.values()) {
      if (early.heardMs + SILENCE_MS_MAX <= this.monotonicMs()) void this.#drop(early)
    }
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#files.values()].map((early) => this.#drop(early)))
  }

  #begin(upload: UploadId, size: number): Early | undefined {
    const { ctx } = this
    if (this.#isClosed || this.#files.size >= AT_ONCE_MAX) return undefined
    if (size + ROOM_RESERVE_BYTES > ctx.files.room(ctx.staging).freeBytes) return undefined
    try {
      const path = this.#area.early()
      const early: Early = {
        upload,
        size,
        path,
        file: ctx.files.open(path, 'rw', FILE_MODE),
        parts: [],
        waiting: [],
        came: new Map(),
        abort: new AbortController(),
        root: undefined,
        heardMs: 0,
        running: Promise.resolve(),
      }
      this.#files.set(upload, early)
      return early
    } catch {
      // The disk refuses: it will refuse the download too, which says so.
      return undefined
    }
  }

  async #fetch({ waiting, came, file, abort: { signal } }: Early): Promise<void> {
    const chunks = waiting.splice(0)
    if (chunks.length === 0 || signal.aborted) return
    const sink = { write: (offset: number, bytes: Uint8Array) => file.write(offset, bytes) }
    try {
      for (const chunk of await this.ctx.space.fetchChunks(chunks, sink, { signal }))
        came.set(chunk.offset, chunk)
    } catch {
      // What of it came is found there by its hash.
    }
  }

  async #drop(early: Early): Promise<void> {
    await this.#end(early)
    try {
      this.ctx.files.unlink(early.path)
    } catch {
      // It goes with the next start.
    }
  }

  async #end(early: Early): Promise<void> {
    this.#files.delete(early.upload)
    early.abort.abort()
    await early.running
    await early.file.close()
  }
}
