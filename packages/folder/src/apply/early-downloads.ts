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
/** Who sends a file and nothing new of it comes for so long has given up, or is away. */
const SILENCE_MS_MAX = 600_000
/** However slowly it comes: what is not finished by then comes with its entry. */
const AGE_MS_MAX = 24 * 3_600_000

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
  cameBytes: number
  readonly abort: AbortController
  root: ChunkId | undefined
  readonly begunMs: number
  /** When something of it came. */
  cameMs: number
  running: Promise<void>
}

/**
 * Fetches large files into staging while others still send them: what hints say, two files at once. It only helps:
 * whatever fails is left out, and comes when the entry does. What comes of nothing is removed.
 */
export class EarlyDownloads {
  readonly #files = new Map<UploadId, Early>()
  /** Those that are being removed. */
  readonly #ending = new Set<Promise<void>>()
  readonly #area: StagingArea
  #isClosed = false

  constructor(
    private readonly ctx: ApplyContext,
    private readonly monotonicMs: () => number,
  ) {
    this.#area = new StagingArea(ctx.files, ctx.staging, () => ctx.clock.nowMs())
  }

  /** A part of a file is at the hub, or all of it is. Never throws: it comes from elsewhere, and is advice. */
  hint({ upload, size, offset, chunks, root }: UploadHint): void {
    const early = this.#files.get(upload) ?? (chunks.length > 0 ? this.#begin(upload, size) : undefined)
    if (!early || early.size !== size) return
    early.root = root ?? early.root
    if (chunks.length === 0) return
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
    try {
      await this.#end(early)
    } catch {
      // The disk refuses: who knows what is there.
      return undefined
    }
    const has = ({ id, offset, length }: PlacedChunk): boolean => {
      const came = early.came.get(offset)
      return came?.id === id && came.length === length
    }
    return { path: early.path, bytes: early.cameBytes, has }
  }

  /** Removes what comes of nothing. */
  prune(): void {
    const nowMs = this.monotonicMs()
    for (const early of this.#files.values()) {
      const isSilent = early.cameMs + SILENCE_MS_MAX <= nowMs
      if (isSilent || early.begunMs + AGE_MS_MAX <= nowMs) this.#drop(early)
    }
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const early of this.#files.values()) this.#drop(early)
    await Promise.all(this.#ending)
  }

  #begin(upload: UploadId, size: number): Early | undefined {
    const { ctx } = this
    if (this.#isClosed || this.#files.size >= AT_ONCE_MAX) return undefined
    try {
      if (size + ROOM_RESERVE_BYTES > this.#freeBytes()) return undefined
      const path = this.#area.early()
      const nowMs = this.monotonicMs()
      const early: Early = {
        upload,
        size,
        path,
        file: ctx.files.open(path, 'rw', FILE_MODE),
        parts: [],
        waiting: [],
        came: new Map(),
        cameBytes: 0,
        abort: new AbortController(),
        root: undefined,
        begunMs: nowMs,
        cameMs: nowMs,
        running: Promise.resolve(),
      }
      this.#files.set(upload, early)
      return early
    } catch {
      // Staging is gone, or the disk refuses: it will refuse the download too, which says so.
      return undefined
    }
  }

  /** Less what the others will still take: their files have holes until then. */
  #freeBytes(): number {
    const toCome = [...this.#files.values()].map(({ size, cameBytes }) => size - cameBytes)
    return this.ctx.files.room(this.ctx.staging).freeBytes - toCome.reduce((sum, bytes) => sum + bytes, 0)
  }

  async #fetch(early: Early): Promise<void> {
    const { waiting, came, file } = early
    const { signal } = early.abort
    const chunks = waiting.splice(0)
    if (chunks.length === 0 || signal.aborted) return
    const write = async (offset: number, bytes: Uint8Array): Promise<void> => {
      try {
        await file.write(offset, bytes)
      } catch (error) {
        // The disk is full, say: the room is for what is shown.
        this.#drop(early)
        throw error
      }
    }
    try {
      for (const chunk of await this.ctx.space.fetchChunks(chunks, { write }, { signal })) {
        came.set(chunk.offset, chunk)
        early.cameBytes += chunk.length
        early.cameMs = this.monotonicMs()
      }
    } catch {
      // It comes with the entry.
    }
  }

  /** In the background. */
  #drop(early: Early): void {
    const ending = this.#end(early)
      .then(() => this.ctx.files.unlink(early.path))
      // It goes with the next start.
      .catch(() => undefined)
      .finally(() => this.#ending.delete(ending))
    this.#ending.add(ending)
  }

  async #end(early: Early): Promise<void> {
    this.#files.delete(early.upload)
    early.abort.abort()
    await early.running
    await early.file.close()
  }
}
