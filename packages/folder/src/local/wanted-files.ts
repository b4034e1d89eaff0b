import type { Upload } from '@tidemark/engine'
import { type ChunkId, SourceChangedError, SyncError } from '@tidemark/protocol'
import { errnoOf } from '../adapters/node-file-system.js'
import type { FileStat } from '../ports/file-system.js'
import type { PushContext } from './push-context.js'
import { readContent } from './read-content.js'
import { thingsBelow } from './things-below.js'

/** Files stored with one call, and their bytes: small ones stay in memory until then. */
const GROUP_FILES = 256
const GROUP_BYTES = 32 * 1024 * 1024
/** Groups that fail in a row: then it is the store, or the hub. */
const FAILURES_MAX = 3
/** Time until what failed is tried again: all of it is read again then. Doubled each time. */
const RETRY_MS_MIN = 1_000
const RETRY_MS_MAX = 3_600_000
/** Of problems. */
const SOURCE = 'wanted'
/** Wanted contents that one walk through the trash looks for. */
const WALK_CONTENTS = 100_000
/** Looks at the trash between two turns of the event loop. */
const SLICE_LOOKS = 256
/** Roots of files in the trash. */
const REMEMBERED_MAX = 100_000

/** A file that may hold something wanted. */
interface Candidate {
  readonly absolute: string
  /** Where it stands, or stood, in the folder. */
  readonly path: string
  readonly size: number
  /** Whether this content is wanted of it. */
  takes(root: ChunkId): boolean
}

/**
 * Stores again what the hub lacks and this folder holds: beside the control loop, because it can be much.
 * Rows say which file has which content, and in the trash the size tells where to look; what is read decides.
 */
export class WantedFiles {
  readonly #abort = new AbortController()
  #running: Promise<void> | undefined
  #isMore = false
  /** Attempts in a row that failed, and when the next one is due. */
  #failures = 0
  #retryAtMs: number | undefined
  /** What was read in the trash. */
  readonly #trashed = new Map<string, ChunkId>()

  /**
   * @param trash Absolute path of what was deleted or replaced here.
   * @param onChange It began, or ended.
   */
  constructor(
    private readonly context: PushContext,
    private readonly trash: string,
    private readonly monotonicMs: () => number,
    private readonly onChange: () => void,
  ) {}

  /** Whether something may have to be stored. */
  get isBusy(): boolean {
    return this.#running !== undefined
  }

  /** There is more, or there may be from the last time. */
  wake(): void {
    if (this.#abort.signal.aborted) return
    this.#isMore = true
    this.#retryAtMs = undefined
    if (this.#running) return
    this.#running = this.#run()
      .then(
        () => this.#succeeded(),
        (error: Error) => this.#failed(error),
      )
      .finally(() => {
        this.#running = undefined
        this.onChange()
      })
    this.onChange()
  }

  /** Milliseconds until what failed is to be tried again; `undefined`: nothing is. */
  dueInMs(): number | undefined {
    return this.#retryAtMs === undefined ? undefined : Math.max(0, this.#retryAtMs - this.monotonicMs())
  }

  /** Ends what runs; what is left is known at the next start. */
  async close(): Promise<void> {
    this.#abort.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { wanted } = this.context.space
    while (this.#isMore && !(await wanted.isEmpty())) {
      this.#isMore = false
      await this.#storeAll()
      // What came meanwhile may be in rows that were passed already.
      if (!this.#isMore) await wanted.clear()
    }
    this.#isMore = false
  }

  async #storeAll(): Promise<void> {
    const attempts = new Attempts()
    await this.#storeThose(this.#shown(), attempts)
    await this.#storeThose(this.#thrownAway(), attempts)
    attempts.end()
  }

  async #storeThose(candidates: AsyncIterable<Candidate>, attempts: Attempts): Promise<void> {
    const { signal } = this.#abort
    const group = new Group((found) => attempts.make(() => this.#store(found), signal))
    for await (const candidate of candidates) {
      this.#abort.signal.throwIfAborted()
      const found = await this.#read(candidate)
      if (found) await group.add(found)
    }
    await group.end()
  }

  async *#shown(): AsyncIterable<Candidate> {
    const { rows, space, directory } = this.context
    for await (const page of rows.all()) {
      const files = page.filter(({ entry }) => entry.kind === 'file' && entry.version)
      const wanted = await space.wanted.among(files.map(({ entry }) => entry.version!.root))
      for (const row of files) {
        const { root, size } = row.entry.version!
        const path = wanted.has(root) ? await rows.localPathOf(row) : undefined
        if (path === undefined) continue
        yield { absolute: `${directory}/${path}`, path, size, takes: (each) => each === root }
      }
    }
  }

  /** What was replaced or deleted here may be the last of what a hub that went back shows. */
  async *#thrownAway(): AsyncIterable<Candidate> {
    let bySize = new Map<number, Set<ChunkId>>()
    let count = 0
    for await (const page of this.context.space.wanted.all()) {
      for (const { root, size } of page) bySize.set(size, (bySize.get(size) ?? new Set()).add(root))
      count += page.length
      if (count < WALK_CONTENTS) continue
      yield* this.#thrownAwayOf(bySize)
      bySize = new Map()
      count = 0
    }
    if (count > 0) yield* this.#thrownAwayOf(bySize)
  }

  async *#thrownAwayOf(bySize: Map<number, Set<ChunkId>>): AsyncIterable<Candidate> {
    const { trash } = this
    let looks = 0
    for (const { path, stat } of thingsBelow(this.context.files, trash)) {
      if (++looks % SLICE_LOOKS === 0) await new Promise((resolve) => setImmediate(resolve))
      this.#abort.signal.throwIfAborted()
      const { kind, size } = stat
      const roots = kind === 'file' ? bySize.get(size) : undefined
      // Nobody writes there: what was read once is known.
      const known = this.#trashed.get(stampOf(path, stat))
      if (!roots || (known !== undefined && !roots.has(known))) continue
      const takes = (root: ChunkId): boolean => {
        this.#remember(stampOf(path, stat), root)
        const isTaken = roots.delete(root)
        if (roots.size === 0) bySize.delete(size)
        return isTaken
      }
      yield { absolute: `${trash}/${path}`, path: path.slice(path.indexOf('/') + 1), size, takes }
    }
  }

  #remember(stamp: string, root: ChunkId): void {
    if (this.#trashed.size >= REMEMBERED_MAX) this.#trashed.clear()
    this.#trashed.set(stamp, root)
  }

  async #store(group: readonly Found[]): Promise<void> {
    const { space, onEvent } = this.context
    const { signal } = this.#abort
    try {
      await space.ensureStored(
        group.map(({ upload }) => upload),
        { signal },
      )
    } catch (error) {
      signal.throwIfAborted()
      // One that is edited now, or gone, must not hold the others back.
      if (!isOfItsFile(error)) throw error
      if (group.length > 1) for (const one of group) await this.#store([one])
      return
    }
    for (const { path } of group)
      onEvent({ type: 'sent', path, detail: 'stored again: the hub had lost its bytes' })
    await space.wanted.settle(group.map(({ root }) => root))
  }

  /** @returns what is on disk, if it is wanted. */
  async #read({ absolute, path, size, takes }: Candidate): Promise<Found | undefined> {
    try {
      const stat = this.context.files.lstat(absolute)
      if (stat?.kind !== 'file' || stat.size !== size) return undefined
      const { content, upload } = await readContent(
        { ...this.context, path: absolute, signal: this.#abort.signal },
        stat,
      )
      return upload && takes(content.root) ? { path, root: content.root, upload } : undefined
    } catch (error) {
      this.#abort.signal.throwIfAborted()
      // It is being changed, or cannot be read: the local side says so.
      if (error instanceof SourceChangedError || errnoOf(error) !== undefined) return undefined
      throw error
    }
  }

  #succeeded(): void {
    this.#failures = 0
    this.context.problems.set(SOURCE, [])
  }

  #failed(error: Error): void {
    if (this.#abort.signal.aborted) return
    // What is refused for good is asked for again with the next connection.
    const isFinal = error instanceof SyncError && error.retry === 'never'
    const delayMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** this.#failures++)
    this.#retryAtMs = isFinal ? undefined : this.monotonicMs() + delayMs
    const problem = {
      path: '',
      cause: 'hub-lacks-bytes',
      detail: `the hub has lost bytes that are here, and they could not be stored again: ${error.message}`,
      fix: 'nothing here; it is tried again by itself',
    }
    this.context.problems.set(SOURCE, [problem])
  }
}

interface Found {
  readonly path: string
  readonly root: ChunkId
  readonly upload: Upload
}

/** One that fails does not keep the others from being made, as long as not all do. */
class Attempts {
  #inARow = 0
  #error: unknown

  /** @throws the error of the last of FAILURES_MAX that failed in a row, and the signal's reason. */
  async make(attempt: () => Promise<void>, signal: AbortSignal): Promise<void> {
    try {
      await attempt()
      this.#inARow = 0
    } catch (error) {
      signal.throwIfAborted()
      this.#error ??= error
      if (++this.#inARow === FAILURES_MAX) throw error
    }
  }

  /** @throws the error of the first that failed. */
  end(): void {
    if (this.#error !== undefined) throw this.#error
  }
}

/** What is stored with one call. */
class Group {
  #found: Found[] = []
  #bytes = 0

  constructor(private readonly store: (found: readonly Found[]) => Promise<void>) {}

  async add(found: Found): Promise<void> {
    this.#found.push(found)
    this.#bytes += found.upload.file.size
    if (this.#found.length === GROUP_FILES || this.#bytes >= GROUP_BYTES) await this.end()
  }

  async end(): Promise<void> {
    const found = this.#found
    this.#found = []
    this.#bytes = 0
    if (found.length > 0) await this.store(found)
  }
}

/** Of a file that is gone, or may not be opened any more; others are of the machine. */
const ERRNOS_OF_A_FILE = new Set<string | undefined>(['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EPERM'])

const isOfItsFile = (error: unknown): boolean =>
  error instanceof SourceChangedError || ERRNOS_OF_A_FILE.has(errnoOf(error))

const stampOf = (path: string, { size, mtimeNs }: FileStat): string => `${size} ${mtimeNs} ${path}`
