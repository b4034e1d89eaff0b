import type { FetchOptions, Version } from '@tidemark/engine'
import { type ChunkId, SyncError } from '@tidemark/protocol'
import type { ApplyContext } from '../apply-context.js'
import type { SyncedRow } from '../rows.js'
import { errnoOf } from './disk.js'
import type { EarlyDownloads, EarlyPart } from './early-downloads.js'
import { heldFiles } from './held-files.js'
import { FILE_MODE } from './mode.js'
import { ROOM_RESERVE_BYTES } from './room.js'
import type { StagingArea } from './staging.js'

const AT_ONCE_MAX = 2
/** Its owner may read and write it. */
const OWNER_MODE = 0o600

export type DownloadState =
  | { readonly state: 'running' }
  /** The whole file is in staging, at `StagingArea.partPath(root)`. */
  | { readonly state: 'complete' }
  /** No source has them now, or the connection broke. */
  | { readonly state: 'missing'; readonly error?: SyncError }
  | { readonly state: 'no-space' }
  | { readonly state: 'refused'; readonly errno: string }
  /** A defect: `ask` throws it. */
  | { readonly state: 'failed'; readonly error: unknown }

interface Download {
  readonly finished: Promise<void>
  state: DownloadState
}

/**
 * Downloads of large files into staging, by root; at most two at once, smallest first. They run beside
 * the control loop: `ask` starts or looks, and `onFinished` says that it is worth asking again. A part
 * that is there already is verified chunk by chunk and continued.
 *
 * What failed is not tried again before `retry`: the end of one says to ask for all, and with more files
 * than may run at once each end would start one that fails at once, without end.
 */
export class Downloads {
  readonly #running = new Map<ChunkId, Download>()
  readonly #ended = new Map<ChunkId, DownloadState>()
  #abort = new AbortController()
  #isClosed = false
  #begun = 0

  constructor(
    private readonly onFinished: () => void = () => {},
    private readonly early?: Pick<EarlyDownloads, 'take'>,
  ) {}

  /**
   * Starts the download if there is a free place for it, or says what became of it.
   * @param row What stands in its place: the version before.
   * @throws what it failed with, where that was neither the network nor the disk.
   */
  ask(ctx: ApplyContext, staging: StagingArea, version: Version, row?: SyncedRow): DownloadState {
    const ended = this.#ended.get(version.root)
    // A complete one stays known until it got its name: its bytes are not hashed again. Where it has both names,
    // it is the user's file; some disks count no links at all (0).
    const part = ctx.files.lstat(staging.partPath(version.root))
    if (ended?.state === 'complete' && part?.size === version.size && part.nlink <= 1) return ended
    if (ended?.state === 'failed') {
      this.#ended.delete(version.root)
      throw ended.error
    }
    if (ended && ended.state !== 'complete') return ended
    this.#ended.delete(version.root)
    const running = this.#running.get(version.root)
    if (running) return running.state
    if (this.#running.size >= AT_ONCE_MAX || this.#isClosed) return { state: 'running' }
    this.#begun++
    const state: DownloadState = { state: 'running' }
    const finished = this.#fetch(ctx, staging, version, row, this.#abort.signal).then((end) => {
      this.#running.delete(version.root)
      this.#ended.set(version.root, end)
      this.onFinished()
    })
    this.#running.set(version.root, { finished, state })
    return state
  }

  /** What failed may be tried again: some time has passed, or something is different. */
  retry(): void {
    for (const [root, { state }] of this.#ended) if (state !== 'complete') this.#ended.delete(root)
  }

  /** Resolves when one that runs now has ended; at once when none runs. */
  async next(): Promise<void> {
    await Promise.race([...this.#running.values()].map(({ finished }) => finished))
  }

  get isIdle(): boolean {
    return this.#running.size === 0
  }

  /** How many were started. */
  get begun(): number {
    return this.#begun
  }

  isRunning(root: ChunkId): boolean {
    return this.#running.has(root)
  }

  /** Stops those that run: nobody waits for their files any more. Their parts stay. */
  cancel(): void {
    if (this.isIdle) return
    this.#abort.abort()
    this.#abort = new AbortController()
  }

  /** Stops them; the parts stay for the next time. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#abort.abort()
    await Promise.all([...this.#running.values()].map(({ finished }) => finished))
  }

  async #fetch(
    ctx: ApplyContext,
    staging: StagingArea,
    version: Version,
    row: SyncedRow | undefined,
    signal: AbortSignal,
  ): Promise<DownloadState> {
    try {
      const path = staging.partPath(version.root)
      // A part with a second name got its place already: writing to it would write to the user's file.
      if ((ctx.files.lstat(path)?.nlink ?? 1) > 1) ctx.files.unlink(path)
      makeWritable(ctx, path)
      const early = adopt(ctx, await this.early?.take(version), path)
      // Of what came early it is known: the rest of its file are holes, which nobody has to read.
      const have = early ? 0 : (ctx.files.lstat(path)?.size ?? 0)
      const needed = Math.max(0, version.size - (early?.bytes ?? have)) + ROOM_RESERVE_BYTES
      if (needed > ctx.files.room(ctx.staging).freeBytes) return { state: 'no-space' }
      const held = await heldFiles(ctx, version, row)
      await this.#fetchInto(ctx, path, version, { have, has: early?.has }, { signal, held })
      return { state: 'complete' }
    } catch (error) {
      if (signal.aborted) return { state: 'missing' }
      if (error instanceof SyncError) return { state: 'missing', error }
      if (errnoOf(error) !== undefined) return { state: 'refused', errno: errnoOf(error)! }
      return { state: 'failed', error }
    }
  }

  /** @param left `have`: bytes that an earlier attempt left there, to be looked at; `has`: chunks that are there. */
  async #fetchInto(
    ctx: ApplyContext,
    path: string,
    version: Version,
    { have, has }: { readonly have: number; readonly has: EarlyPart['has'] | undefined },
    options: FetchOptions,
  ): Promise<void> {
    const file = ctx.files.open(path, 'rw', FILE_MODE)
    try {
      const sink = {
        write: (offset: number, bytes: Uint8Array) => file.write(offset, bytes),
        read: async (offset: number, length: number) => {
          // Behind it nothing was left, and each look makes memory for a chunk.
          if (offset + length > have) return undefined
          const bytes = await file.read(offset, length)
          return bytes.length === length ? bytes : undefined
        },
        ...(has ? { has } : {}),
      }
      await ctx.space.fetch(version, sink, options)
      file.truncate(version.size)
      await file.sync()
    } finally {
      await file.close()
    }
  }
}

/** A part that was complete once may have the permissions of the file whose place it was to take. */
function makeWritable({ files }: ApplyContext, path: string): void {
  const part = files.lstat(path)
  if (part && (part.mode & OWNER_MODE) !== OWNER_MODE) files.chmod(path, part.mode | OWNER_MODE)
}

/** What came early is the part from now on, unless there is one already. @returns it, where it is. */
function adopt(ctx: ApplyContext, early: EarlyPart | undefined, path: string): EarlyPart | undefined {
  if (!early) return undefined
  try {
    if (ctx.files.lstat(path)) ctx.files.unlink(early.path)
    else {
      ctx.files.rename(early.path, path)
      return early
    }
  } catch {
    // Staging was cleared meanwhile: it comes again.
  }
  return undefined
}
