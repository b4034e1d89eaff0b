import type { Upload } from '@tidemark/engine'
import { type ChunkId, SourceChangedError } from '@tidemark/protocol'
import { errnoOf } from '../adapters/node-file-system.js'
import type { SyncedRow } from '../rows.js'
import type { PushContext } from './push-context.js'
import { readContent } from './read-content.js'

/** Files stored with one call, and their bytes: small ones stay in memory until then. */
const GROUP_FILES = 256
const GROUP_BYTES = 32 * 1024 * 1024
/** Of problems. */
const SOURCE = 'wanted'

/**
 * Stores again what the hub lacks and this folder holds: beside the control loop, because it can be much.
 * Rows say which file has which content; what is read decides.
 */
export class WantedFiles {
  readonly #abort = new AbortController()
  #running: Promise<void> | undefined
  #isMore = false

  /** @param onChange It began, or ended. */
  constructor(
    private readonly context: PushContext,
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
    if (this.#running) return
    this.#running = this.#run()
      .then(
        () => this.context.problems.set(SOURCE, []),
        (error: Error) => this.#failed(error),
      )
      .finally(() => {
        this.#running = undefined
        this.onChange()
      })
    this.onChange()
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
    const { rows, space } = this.context
    let group: { root: ChunkId; upload: Upload }[] = []
    let bytes = 0
    const store = async (): Promise<void> => {
      const stored = group
      group = []
      bytes = 0
      if (stored.length > 0) await this.#store(stored)
    }
    for await (const page of rows.all()) {
      const files = page.filter(({ entry }) => entry.kind === 'file' && entry.version)
      const wanted = await space.wanted.among(files.map(({ entry }) => entry.version!.root))
      for (const row of files) {
        if (!wanted.has(row.entry.version!.root)) continue
        this.#abort.signal.throwIfAborted()
        const found = await this.#read(row)
        if (!found) continue
        group.push(found)
        bytes += found.upload.file.size
        if (group.length === GROUP_FILES || bytes >= GROUP_BYTES) await store()
      }
    }
    await store()
  }

  async #store(group: readonly { root: ChunkId; upload: Upload }[]): Promise<void> {
    const { space } = this.context
    const { signal } = this.#abort
    try {
      await space.ensureStored(
        group.map(({ upload }) => upload),
        { signal },
      )
    } catch (error) {
      // One that is edited now must not hold the others back.
      if (!(error instanceof SourceChangedError) || group.length === 1) throw error
      for (const one of group) await this.#store([one]).catch(mustBeChanged)
      return
    }
    await space.wanted.settle(group.map(({ root }) => root))
  }

  /** The file of a row as it is on disk, if it still has the row's content. */
  async #read(row: SyncedRow): Promise<{ root: ChunkId; upload: Upload } | undefined> {
    const { rows, files, directory, onEvent } = this.context
    const path = await rows.localPathOf(row)
    if (path === undefined) return undefined
    const absolute = `${directory}/${path}`
    const { root } = row.entry.version!
    try {
      const stat = files.lstat(absolute)
      if (stat?.kind !== 'file' || stat.size !== row.entry.version!.size) return undefined
      const { content, upload } = await readContent(
        { ...this.context, path: absolute, signal: this.#abort.signal },
        stat,
      )
      if (content.root !== root || !upload) return undefined
      onEvent({ type: 'sent', path, detail: 'stored again: the hub had lost its bytes' })
      return { root, upload }
    } catch (error) {
      this.#abort.signal.throwIfAborted()
      // It is being changed, or cannot be read: the local side says so.
      if (error instanceof SourceChangedError || errnoOf(error) !== undefined) return undefined
      throw error
    }
  }

  #failed(error: Error): void {
    if (this.#abort.signal.aborted) return
    const problem = {
      path: '',
      cause: 'hub-lacks-bytes',
      detail: `the hub has lost bytes that are here, and they could not be stored again: ${error.message}`,
      fix: 'it is tried again with the next connection to the hub',
    }
    this.context.problems.set(SOURCE, [problem])
  }
}

function mustBeChanged(error: Error): void {
  if (!(error instanceof SourceChangedError)) throw error
}
