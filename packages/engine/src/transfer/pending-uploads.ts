import type { ChunkId, SyncError, WantedVersion } from '@tidemark/protocol'
import type { NewContent } from '../core/user-op.js'
import { decodeJson, encodeJson } from '../database/json-row.js'
import type { SpaceDatabase } from '../database/space-database.js'
import type { KeyValueOp } from '../ports/key-value-store.js'
import { withResolvers } from '../session/with-resolvers.js'
import type { LocalFiles } from './local-files.js'
import type { Uploader } from './uploader.js'

interface Row extends Pick<NewContent, 'root' | 'height' | 'size'> {
  /** The hub may have the bytes, and this device may not: what it does not keep is no failure. */
  readonly ifKept?: true
}

const PREFIX = 'upload/'

export interface PendingUploadsParts {
  readonly database: SpaceDatabase
  readonly files: LocalFiles
  readonly uploader: Uploader
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
  /** The last upload that failed for good, by root: tried again with the next connection. */
  readonly failures = new Map<ChunkId, SyncError>()
  stopped: Promise<void> = Promise.resolve()

  constructor(parts: PendingUploadsParts) {
    this.#parts = parts
  }

  /** Whether the hub has all that was written here, as far as it was looked. */
  get isEmpty(): boolean {
    return this.#isEmpty && this.failures.size === 0
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
      this.failures.delete(root)
      ops.push(rowOp({ root, height, size }))
    }
    if (ops.length === 0) return
    await database.writeRows(ops, { sync: false })
    this.wake()
  }

  /** What was refused may be taken now. */
  retryFailed(): void {
    if (this.failures.size === 0) return
    this.failures.clear()
    this.wake()
  }

  wake(): void {
    this.#more.resolve()
  }

  /** Uploads until the signal aborts. */
  run(signal: AbortSignal): void {
    this.stopped = this.#run(signal)
  }

  /** Resolves when nothing is left to upload. @throws the signal's reason. */
  async empty(signal?: AbortSignal): Promise<void> {
    for (;;) {
      signal?.throwIfAborted()
      const done = withResolvers<void>()
      const abort = (): void => done.reject(signal?.reason)
      const finish = (): void => done.resolve()
      this.#waiting.add(finish)
      signal?.addEventListener('abort', abort, { once: true })
      try {
        if ((await this.#next()) === undefined) return
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
    while (!signal.aborted) {
      this.#more = withResolvers()
      const row = await this.#next()
      this.#noteEmpty(row === undefined)
      if (row) await this.#upload(row, signal)
      else await Promise.race([this.#more.promise, aborted])
    }
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
    } catch (error) {
      if (signal.aborted) return
      this.failures.set(row.root, error as SyncError)
    }
    for (const done of [...this.#waiting]) done()
  }

  async #next(): Promise<Row | undefined> {
    for await (const page of this.#parts.database.rows.range({ gte: PREFIX, lt: `${PREFIX}~` })) {
      for (const [, value] of page) {
        const row = decodeJson<Row>(value)!
        if (!this.failures.has(row.root)) return row
      }
    }
    return undefined
  }
}

function rowOp(row: Row): KeyValueOp {
  return { type: 'put', key: PREFIX + row.root, value: encodeJson(row) }
}
