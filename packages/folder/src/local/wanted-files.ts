import type { Upload } from '@tidemark/engine'
import { type ChunkId, SourceChangedError, SyncError } from '@tidemark/protocol'
import { errnoOf } from '../adapters/node-file-system.js'
import type { PushContext } from './push-context.js'
import { readContent } from './read-content.js'
import { storeEach } from './store-each.js'
import { leavesOpen } from './things-below.js'
import { type Candidate, WantedCandidates } from './wanted-candidates.js'

/** Files stored with one call, and their bytes: small ones stay in memory until then. */
const GROUP_FILES = 256
const GROUP_BYTES = 32 * 1024 * 1024
/** Groups that fail in a row: then it is the store, or the hub. */
const FAILURES_MAX = 3
/** Time until what failed, or is in doubt, is looked for again: all of it is read again then. Doubled each time. */
const RETRY_MS_MIN = 1_000
const RETRY_MS_MAX = 600_000
/** Of problems. */
const SOURCE = '/wanted'

/**
 * Stores again what the hub lacks and this folder holds: beside the control loop, because it can be much.
 * Rows say which file has which content, and in the trash the size tells where to look; what is read decides.
 */
export class WantedFiles {
  readonly #abort = new AbortController()
  #running: Promise<void> | undefined
  #isMore = false
  /**
   * Something stood otherwise than its row says: it may have moved, and the rows have not heard of it. Or the disk
   * did not let it be looked at.
   */
  #isInDoubt = false
  /** Attempts in a row that failed, or left something in doubt, and when the next one is due. */
  #failures = 0
  #retryAtMs: number | undefined
  readonly #candidates: WantedCandidates

  /**
   * @param trash Absolute path of what was deleted or replaced here.
   * @param onChange It began, or ended.
   */
  constructor(
    private readonly context: PushContext,
    trash: string,
    private readonly monotonicMs: () => number,
    private readonly onChange: () => void,
  ) {
    this.#candidates = new WantedCandidates(context, trash)
  }

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
    while (this.#isMore) {
      this.#isMore = false
      this.#isInDoubt = false
      if (await wanted.isEmpty()) continue
      await this.#storeAll()
      // What came meanwhile may be in rows that were passed already.
      if (!this.#isMore && !this.#isInDoubt) await wanted.clear()
    }
  }

  async #storeAll(): Promise<void> {
    const attempts = new Attempts()
    const { signal } = this.#abort
    await this.#storeThose(this.#candidates.shown(), attempts, true)
    await this.#storeThose(this.#candidates.thrownAway(signal), attempts, false)
    attempts.end()
  }

  /** @param areOfRows One of them that is not what it was taken for, or is gone, may stand elsewhere now. */
  async #storeThose(
    candidates: AsyncIterable<Candidate | undefined>,
    attempts: Attempts,
    areOfRows: boolean,
  ): Promise<void> {
    const { signal } = this.#abort
    const group = new Group((found) => attempts.make(() => this.#store(found), signal))
    for await (const candidate of candidates) {
      this.#abort.signal.throwIfAborted()
      const found = candidate ? await this.#read(candidate) : 'unseen'
      if (typeof found === 'object') await group.add(found)
      else if (areOfRows || found === 'unseen') this.#isInDoubt = true
    }
    await group.end()
  }

  async #store(group: readonly Found[]): Promise<void> {
    const { space, onEvent } = this.context
    const { signal } = this.#abort
    const failed = await storeEach(space, group, signal)
    const stored = group.filter((found) => !failed.has(found))
    for (const { path } of stored)
      onEvent({ type: 'sent', path, detail: 'stored again: the hub had lost its bytes' })
    await space.wanted.settle(stored.map(({ root }) => root))
  }

  /** @returns what is on disk, if it is wanted; `unseen`: the disk does not let it be read. */
  async #read({ absolute, path, size, takes }: Candidate): Promise<Found | 'other' | 'unseen'> {
    try {
      const stat = this.context.files.lstat(absolute)
      if (stat?.kind !== 'file' || stat.size !== size) return 'other'
      const { content, upload } = await readContent(
        { ...this.context, path: absolute, signal: this.#abort.signal },
        stat,
      )
      return upload && takes(content.root) ? { path, root: content.root, upload } : 'other'
    } catch (error) {
      this.#abort.signal.throwIfAborted()
      // It is being changed, or cannot be read: the local side says so.
      if (error instanceof SourceChangedError) return 'other'
      if (errnoOf(error) === undefined) throw error
      return leavesOpen(error) ? 'unseen' : 'other'
    }
  }

  #succeeded(): void {
    this.context.problems.set(SOURCE, [])
    if (this.#isInDoubt) this.#retryLater()
    else this.#failures = 0
  }

  #retryLater(): void {
    const delayMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** this.#failures++)
    this.#retryAtMs = this.monotonicMs() + delayMs
  }

  #failed(error: Error): void {
    if (this.#abort.signal.aborted) return
    // What is refused now may be taken later, and no connection need break for that.
    if (isRefusal(error) && !this.#isInDoubt) this.#retryAtMs = this.monotonicMs() + RETRY_MS_MAX
    else this.#retryLater()
    const problem = {
      path: '',
      cause: 'hub-lacks-bytes',
      detail: `the hub has lost bytes that are here, and they could not be stored again: ${error.message}`,
      fix: 'nothing here; it is tried again by itself',
    }
    this.context.problems.set(SOURCE, [problem])
  }
}

const isRefusal = (error: unknown): boolean => error instanceof SyncError && error.retry === 'never'

interface Found {
  readonly path: string
  readonly root: ChunkId
  readonly upload: Upload
}

/** One that fails does not keep the others from being made, as long as not all do. */
class Attempts {
  #inARow = 0
  #error: unknown

  /** @throws as `end`, when FAILURES_MAX have failed in a row; the signal's reason. */
  async make(attempt: () => Promise<void>, signal: AbortSignal): Promise<void> {
    try {
      await attempt()
      this.#inARow = 0
    } catch (error) {
      signal.throwIfAborted()
      if (this.#error === undefined || isRefusal(this.#error)) this.#error = error
      if (++this.#inARow === FAILURES_MAX) throw this.#error
    }
  }

  /** @throws the error of the first that failed, of those that were not refused if there are any. */
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
