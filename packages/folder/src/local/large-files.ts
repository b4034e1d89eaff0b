import type { ByteSource, Clock, SpaceBinding, StoreOptions } from '@tidemark/engine'
import type { FileStat, FileSystem } from '../ports/file-system.js'
import { fsync, unlessAborted } from './durable-items.js'
import { isRacy } from './identity.js'
import { type ReadContent, readContent } from './read-content.js'

/** Larger files are read and stored beside the rest, so that small changes overtake them. */
export const LARGE_BYTES = 8 * 1024 * 1024
/** More at once would only share one disk and one link. */
const LANES = 2

interface Job {
  readonly path: string
  readonly stat: FileStat
  readonly abort: AbortController
  /** Not only read. */
  readonly isStored: boolean
  doneBytes: number
  state: 'waiting' | 'running' | 'ready' | 'failed'
  result?: ReadContent
  error?: unknown
}

export interface LargeFilesOptions {
  readonly space: Pick<SpaceBinding, 'chunk' | 'store'>
  readonly files: FileSystem
  readonly clock: Clock
  readonly directory: string
  /** A file is stored, or failed: what is at this path (relative) can be pushed now. */
  readonly onSettled: (path: string) => void
}

/** Reads and stores large files, a few at a time; a file that is changed starts again. */
export class LargeFiles {
  /** By path: each is one file under upload, or waiting for it. */
  readonly #jobs = new Map<string, Job>()
  readonly #tasks = new Set<Promise<void>>()
  #running = 0

  constructor(private readonly options: LargeFilesOptions) {}

  /**
   * The content of the file at `path`, or `undefined` while it is under way (`onSettled` comes).
   *
   * @param isStored Its bytes must be at the hub before; else it is only read.
   * @throws what reading or storing it ended with; the next call starts again.
   */
  take(path: string, stat: FileStat, isStored: boolean): ReadContent | undefined {
    const job = this.#jobs.get(path)
    if (job && job.isStored === isStored && isSameVersion(job.stat, stat)) {
      if (job.state === 'waiting' || job.state === 'running') return undefined
      this.#jobs.delete(path)
      if (job.state === 'failed') throw job.error
      return job.result
    }
    job?.abort.abort()
    const abort = new AbortController()
    this.#jobs.set(path, { path, stat, abort, isStored, doneBytes: 0, state: 'waiting' })
    this.#startNext()
    return undefined
  }

  /** Files that are not stored yet. */
  get pending(): number {
    return this.#jobs.size
  }

  /** Paths of files that are stored, or failed, and not taken yet. */
  get settled(): string[] {
    return [...this.#jobs.values()].filter(isSettled).map(({ path }) => path)
  }

  /** Drops those of these that were not taken although their turn came: gone, renamed, or ignored now. */
  forget(paths: readonly string[]): void {
    for (const path of paths) {
      const job = this.#jobs.get(path)
      if (job && isSettled(job)) this.#jobs.delete(path)
    }
  }

  get progress(): { doneBytes: number; totalBytes: number } {
    const progress = { doneBytes: 0, totalBytes: 0 }
    for (const { doneBytes, stat } of this.#jobs.values()) {
      progress.doneBytes += doneBytes
      progress.totalBytes += stat.size
    }
    return progress
  }

  /** Ends what runs; resolves when nothing does. */
  async close(): Promise<void> {
    for (const job of this.#jobs.values()) job.abort.abort()
    this.#jobs.clear()
    await Promise.all(this.#tasks)
  }

  #startNext(): void {
    for (const job of this.#jobs.values()) {
      if (this.#running === LANES) return
      if (job.state !== 'waiting') continue
      job.state = 'running'
      this.#running++
      const task = this.#run(job).finally(() => {
        this.#running--
        this.#tasks.delete(task)
        this.#startNext()
        if (!job.abort.signal.aborted) this.options.onSettled(job.path)
      })
      this.#tasks.add(task)
    }
  }

  async #run(job: Job): Promise<void> {
    const { directory, space, clock } = this.options
    const { signal } = job.abort
    const onProgress = (durableBytes: number) => {
      job.doneBytes = durableBytes
    }
    const chunk = (source: ByteSource, { stat }: { readonly stat: FileStat }) =>
      job.isStored
        ? space.store(source, { signal, onProgress, resume: resumeOf(stat, clock) })
        : space.chunk(source, { signal })
    const path = `${directory}/${job.path}`
    try {
      const [read, undurable] = await Promise.all([
        readContent({ ...this.options, space: { chunk }, path, signal }, job.stat),
        // Else the group that it comes to would wait for it. A disk may say only once that it could not be done.
        job.isStored ? unlessAborted(fsync(this.options.files, path), signal) : undefined,
      ])
      if (undurable) throw undurable
      job.result = read
      job.state = 'ready'
    } catch (error) {
      job.error = error
      job.state = 'failed'
    }
  }
}

const isSettled = ({ state }: Job): boolean => state === 'ready' || state === 'failed'

/** A rename changes ctime and leaves the bytes alone. */
const isSameVersion = (a: FileStat, b: FileStat): boolean =>
  a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs

function resumeOf(stat: FileStat, clock: Clock): NonNullable<StoreOptions['resume']> {
  const { dev, ino, birthtimeNs, size, mtimeNs, ctimeNs } = stat
  const isSettled = (): boolean => !isRacy(stat, clock.nowMs(), clock.nowMs())
  return { fingerprint: [dev, ino, birthtimeNs, size, mtimeNs, ctimeNs].join(' '), isSettled }
}
