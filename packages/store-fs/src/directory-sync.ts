import type { FileSystem } from './file-system.js'

/**
 * Makes names in a directory durable, and lets concurrent callers share one fsync: a caller that comes
 * while an fsync runs waits for the next one, because the running one may have started before its rename.
 */
export class DirectorySync {
  readonly #running = new Map<string, Promise<void>>()
  readonly #next = new Map<string, Promise<void>>()

  constructor(private readonly files: FileSystem) {}

  /** Resolves when every name that is in `directory` at the call is durable. */
  sync(directory: string): Promise<void> {
    const running = this.#running.get(directory)
    if (!running) return this.#start(directory)
    let next = this.#next.get(directory)
    if (!next) {
      const start = () => {
        this.#next.delete(directory)
        return this.#start(directory)
      }
      next = running.then(start, start)
      this.#next.set(directory, next)
    }
    return next
  }

  #start(directory: string): Promise<void> {
    const running = this.#fsync(directory).finally(() => {
      if (this.#running.get(directory) === running) this.#running.delete(directory)
    })
    this.#running.set(directory, running)
    return running
  }

  async #fsync(directory: string): Promise<void> {
    // Windows cannot open a directory; NTFS journals renames itself.
    if (process.platform === 'win32') return
    const handle = await this.files.open(directory, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  }
}
