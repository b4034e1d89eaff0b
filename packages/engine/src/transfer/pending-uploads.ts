import { type ChunkId, SyncError, type WantedVersion } from '@tidemark/protocol'
import type { NewContent } from '../core/user-op.js'
import { decodeJson, encodeJson } from '../database/json-row.js'
import type { SpaceDatabase } from '../database/space-database.js'
import type { Timers } from '../ports/clock.js'
import type { KeyValueOp } from '../ports/key-value-store.js'
import type { Random } from '../ports/random.js'
import { type BackoffBounds, backoffDelayMs } from '../session/backoff.js'
import { withResolvers } from '../session/with-resolvers.js'
import type { LocalFiles } from './local-files.js'
import { mayPass } from './retry.js'
import type { Uploader } from './uploader.js'

interface Row extends Pick<NewContent, 'root' | 'height' | 'size'> {
  /** The hub may have the bytes, and this device may not: what it does not keep is no failure. */
  readonly ifKept?: true
}

/** What the retry policy gave up on, and nobody but this brings about again. */
interface Failure {
  readonly error: unknown
  /** In a row, from 1. */
  readonly count: number
  /** Monotonic milliseconds. With the next connection at the latest. */
  readonly retryAtMs: number
}

const PREFIX = 'upload/'
/** Each attempt is half a minute of attempts: a store that is full may be so for days. */
const RETRY: BackoffBounds = { minMs: 10_000, maxMs: 600_000 }

export interface PendingUploadsParts {
  readonly database: SpaceDatabase
  readonly files: LocalFiles
  readonly uploader: Uploader
  readonly timers: Timers
  readonly random: Random
  /** `isEmpty` is another. */
  onChange?(): void
}

/** For a file that comes back as new: the hub had its bytes, and may have lost them since. */
export const rowsOfAdopted = ({ root, height, size }: NewContent): readonly KeyValueOp[] => [
  rowOp({ root, height, size, ifKept: true }),
]

/**
 * Files that are on this device and perhaps not yet at the hub. The rows are written with the entries that
 * name the bytes, so that no crash forgets them.
 */
export class PendingUploads {
  readonly #parts: PendingUploadsParts
  #more = withResolvers<void>()
  #waiting = new Set<() => void>()
  #isEmpty = false
  /** By root. */
  readonly #failures = new Map<ChunkId, Failure>()
  /** Resolves when nothing runs any more; never rejects. */
  stopped: Promise<void> = Promise.resolve()

  constructor(parts: PendingUploadsParts) {
    this.#parts = parts
  }

  /** Whether the hub has all that was written here, as far as it was looked. */
  get isEmpty(): boolean {
    return this.#isEmpty && this.#failures.size === 0
  }

  /** For the batch that commits the entry. */
  rows({ root, height, size }: NewContent): readonly KeyValueOp[] {
    this.#noteEmpty(false)
    return [rowOp({ root, height, size })]
  }

  /** The hub lacks these: those that this device keeps are uploaded once more. */
  async takeWanted(versions: readonly WantedVersion[]): Promise<void> {
    const { files, database } = this.#parts
    const ops: KeyValueOp[] = []
    for (const { root, height, size } of versions) {
      if (!(await files.get(root))) continue
      this.#failures.delete(root)
      ops.push(rowOp({ root, height, size }))
    }
    if (ops.length === 0) return
    await database.writeRows(ops, { sync: false })
    this.wake()
  }

  /** What was refused may be taken now. */
  retryFailed(): void {
    if (this.#failures.size === 0) return
    this.#failures.clear()
    this.wake()
  }

  wake(): void {
    this.#more.resolve()
  }

  /** Uploads until the signal aborts. */
  run(signal: AbortSignal): void {
    this.stopped = this.#run(signal)
  }

  /**
   * Resolves when nothing is left to upload; waits for what is tried again by itself.
   *
   * @throws the failure of one that more attempts hardly mend; what the database throws; the signal's reason.
   */
  async empty(signal?: AbortSignal): Promise<void> {
    for (;;) {
      signal?.throwIfAborted()
      const done = withResolvers<void>()
      const abort = (): void => done.reject(signal?.reason)
      const finish = (): void => done.resolve()
      this.#waiting.add(finish)
      signal?.addEventListener('abort', abort, { once: true })
      try {
        for (const { error } of this.#failures.values()) if (!mayPass(error)) throw error
        if ((await this.#first(() => true)) === undefined) return
        await done.promise
      } finally {
        this.#waiting.delete(finish)
        signal?.removeEventListener('abort', abort)
      }
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    const aborted = new Promise<void>((resolve) =>
      signal.addEventListener('abort', () => resolve(), { once: true }),
    )
    const { timers, random } = this.#parts
    let unread = 0
    while (!signal.aborted) {
      this.#more = withResolvers()
      let restMs: number | undefined
      try {
        const row = await this.#first(({ root }) => this.#isDue(root))
        unread = 0
        this.#noteEmpty(row === undefined)
        if (row) {
          await this.#upload(row, signal)
          continue
        }
        restMs = this.#dueInMs()
      } catch {
        // Whoever waits reads for themselves, and hears what the database says.
        this.#noteEmpty(false)
        restMs = backoffDelayMs(unread++, random, RETRY)
      }
      const cancel = restMs === undefined ? undefined : timers.after(restMs, () => this.wake())
      await Promise.race([this.#more.promise, aborted])
      cancel?.()
    }
  }

  #isDue(root: ChunkId): boolean {
    const failure = this.#failures.get(root)
    return !failure || failure.retryAtMs <= this.#parts.timers.monotonicMs()
  }

  /** Milliseconds until the first failure is tried again; `undefined`: none is. */
  #dueInMs(): number | undefined {
    let dueMs = Number.POSITIVE_INFINITY
    for (const { retryAtMs } of this.#failures.values()) dueMs = Math.min(dueMs, retryAtMs)
    return this.#failures.size === 0 ? undefined : Math.max(0, dueMs - this.#parts.timers.monotonicMs())
  }

  #noteEmpty(isEmpty: boolean): void {
    if (this.#isEmpty === isEmpty) return
    this.#isEmpty = isEmpty
    this.#parts.onChange?.()
  }

  async #upload(row: Row, signal: AbortSignal): Promise<void> {
    const { files, uploader, database } = this.#parts
    try {
      if (!row.ifKept || (await files.get(row.root))) {
        await uploader.ensureStored([await files.upload(row)], { signal })
      }
      await database.writeRows([{ type: 'del', key: PREFIX + row.root }], { sync: false })
      this.#failures.delete(row.root)
    } catch (error) {
      if (signal.aborted) return
      this.#failed(row.root, error)
    }
    for (const done of [...this.#waiting]) done()
  }

  #failed(root: ChunkId, error: unknown): void {
    const { timers, random } = this.#parts
    const before = this.#failures.get(root)?.count ?? 0
    const isRefused = error instanceof SyncError && error.retry === 'never'
    // What is refused now may be taken later, and no connection need break for that.
    const delayMs = isRefused ? RETRY.maxMs : backoffDelayMs(before, random, RETRY)
    this.#failures.set(root, { error, count: before + 1, retryAtMs: timers.monotonicMs() + delayMs })
  }

  async #first(isAsked: (row: Row) => boolean): Promise<Row | undefined> {
    for await (const page of this.#parts.database.rows.range({ gte: PREFIX, lt: `${PREFIX}~` })) {
      for (const [, value] of page) {
        const row = decodeJson<Row>(value)!
        if (isAsked(row)) return row
      }
    }
    return undefined
  }
}

function rowOp(row: Row): KeyValueOp {
  return { type: 'put', key: PREFIX + row.root, value: encodeJson(row) }
}
