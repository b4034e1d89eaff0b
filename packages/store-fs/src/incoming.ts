import { randomBytes } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { StoreError } from '@tidemark/protocol'
import { DirectorySync } from './directory-sync.js'
import { errnoOf, type FileSystem, orUndefined } from './file-system.js'
import type { Layout } from './layout.js'

/** Directories known to exist durably; more than this and the oldest is looked at again. */
const KNOWN_DIRECTORIES_MAX = 65_536

/** Opens, commits and sweeps the files of uploads in progress. */
export class Incoming {
  readonly #directories = new Map<string, Promise<void>>()
  readonly #sync: DirectorySync

  constructor(
    private readonly layout: Layout,
    private readonly files: FileSystem,
  ) {
    this.#sync = new DirectorySync(files)
  }

  /** Makes the directories and removes what a killed process left. */
  async open(): Promise<void> {
    await this.files.mkdir(this.layout.blobs, { recursive: true })
    await this.files.mkdir(this.layout.incoming, { recursive: true })
    for (const name of await this.files.readdir(this.layout.incoming)) {
      await orUndefined(this.files.unlink(join(this.layout.incoming, name)))
    }
    await this.#sync.sync(this.layout.directory)
  }

  /** A new, empty file of its own name in the same file system as the blobs. */
  async create(): Promise<IncomingFile> {
    const path = join(this.layout.incoming, `${process.pid}-${randomBytes(9).toString('hex')}`)
    const handle = await this.#again([this.layout.incoming], () => this.files.open(path, 'wx', 0o644))
    return new IncomingFile(path, handle, this.files)
  }

  /**
   * Durable bytes first, then the name, then the name durable: whenever the process or the machine dies,
   * `target` has all of the bytes or does not exist.
   */
  async commit(file: IncomingFile, directories: readonly [string, string], target: string): Promise<void> {
    const [shard, parent] = directories
    const made = this.#again([this.layout.blobs, shard], async () => {
      await this.#ensure(shard)
      await this.#ensure(parent)
    })
    await Promise.all([file.finish(), made])
    await this.#again([this.layout.blobs, shard, parent], () => this.files.rename(file.path, target))
    await storing(this.#sync.sync(parent))
  }

  /**
   * Once more where a directory has vanished behind our back: a cleaner of empty ones, a restore.
   * @param directories Outermost first.
   */
  async #again<T>(directories: readonly string[], act: () => Promise<T>): Promise<T> {
    try {
      return await storing(act())
    } catch (error) {
      if (!(error instanceof StoreError) || errnoOf(error.cause) !== 'ENOENT') throw error
    }
    await this.#mustBeThere()
    for (const directory of directories) this.#directories.delete(directory)
    for (const directory of directories) await this.#ensure(directory)
    return storing(act())
  }

  /**
   * A file system that is not mounted, or was moved away, shows none of them: what would be stored in its place would be
   * hidden once it is back.
   * @throws {StoreError}
   */
  async #mustBeThere(): Promise<void> {
    for (const directory of [this.layout.blobs, this.layout.incoming])
      if (await storing(orUndefined(this.files.stat(directory)))) return
    throw new StoreError(`the blob store is gone: ${this.layout.directory}`, 503)
  }

  /** The directory exists, durably: once per process, shared by everyone who asks meanwhile. */
  #ensure(directory: string): Promise<void> {
    const known = this.#directories.get(directory)
    if (known) return known
    const made = (async () => {
      // Not those above it: see `#mustBeThere`.
      await storing(this.files.mkdir(directory).catch(ignoreExisting))
      await storing(this.#sync.sync(dirname(directory)))
    })()
    made.catch(() => this.#directories.delete(directory))
    this.#directories.set(directory, made)
    if (this.#directories.size > KNOWN_DIRECTORIES_MAX) {
      for (const oldest of this.#directories.keys()) {
        this.#directories.delete(oldest)
        break
      }
    }
    return made
  }
}

/** The bytes of one upload until they have their name. Ends with `Incoming.commit` or `discard`. */
export class IncomingFile {
  #handle: FileHandle | undefined

  constructor(
    readonly path: string,
    handle: FileHandle,
    private readonly files: FileSystem,
  ) {
    this.#handle = handle
  }

  /** Appends; `bytes` must not change until it resolves. @throws {StoreError} disk full, I/O error. */
  async append(bytes: Uint8Array): Promise<void> {
    let done = 0
    while (done < bytes.length) {
      const { bytesWritten } = await storing(this.#open().write(bytes, done, bytes.length - done))
      if (bytesWritten === 0) throw new StoreError('the file system wrote nothing')
      done += bytesWritten
    }
  }

  /** fsync and close. */
  async finish(): Promise<void> {
    const handle = this.#open()
    await storing(handle.sync())
    this.#handle = undefined
    await storing(handle.close())
  }

  /** Removes the file. Never throws: what is left is swept at the next start. */
  async discard(): Promise<void> {
    const handle = this.#handle
    this.#handle = undefined
    await handle?.close().catch(() => undefined)
    await this.files.unlink(this.path).catch(() => undefined)
  }

  #open(): FileHandle {
    if (!this.#handle) throw new TypeError('the incoming file is closed')
    return this.#handle
  }
}

function ignoreExisting(error: unknown): void {
  if (errnoOf(error) !== 'EEXIST') throw error
}

/** Turns a system error into the store's typed one, so that the retry policy can read it. */
export async function storing<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    const full = errno === 'ENOSPC' || errno === 'EDQUOT'
    throw new StoreError(
      full ? 'the blob store is full' : `the blob store failed: ${errno}`,
      full ? 507 : 503,
      {
        cause: error,
      },
    )
  }
}
