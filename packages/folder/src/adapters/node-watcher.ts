import { type FSWatcher, readFileSync, watch } from 'node:fs'
import { basename } from 'node:path'
import type { OpenWatcher, WatchEvents, Watcher } from '../ports/watcher.js'
import { errnoOf } from './node-file-system.js'

/** One fs.watch a directory: on Linux nothing is lost that way but what overflows, in 2.5 KiB a directory. */
export const nodeWatcher: OpenWatcher = (root, events) => new DirectoryWatchers(root, events)

/** Linux, if nobody has set another. */
const QUEUED_MAX_DEFAULT = 16_384
/** Events that the system keeps for this process until it reads them; what comes beyond is dropped. */
export const EVENTS_QUEUED_MAX = readQueuedMax()
/** Not all that takes room in the queue is told. */
const EVENTS_SUSPICIOUS = EVENTS_QUEUED_MAX / 2

/**
 * Guesses that events were dropped, which Node does not tell: all that were kept come between two turns of the
 * event loop.
 */
class SharedQueue {
  /** One queue serves all watches of a process. */
  readonly #users = new Set<WatchEvents>()
  #count = 0

  join(events: WatchEvents): void {
    this.#users.add(events)
  }

  leave(events: WatchEvents): void {
    this.#users.delete(events)
  }

  /** An event came. */
  took(): void {
    if (this.#count++ === 0) setImmediate(() => this.#turned())
  }

  #turned(): void {
    const isSuspicious = this.#count >= EVENTS_SUSPICIOUS
    this.#count = 0
    if (isSuspicious) for (const events of this.#users) events.overflow()
  }
}

const queue = new SharedQueue()

function readQueuedMax(): number {
  try {
    return Number(readFileSync('/proc/sys/fs/inotify/max_queued_events', 'utf8')) || QUEUED_MAX_DEFAULT
  } catch {
    return QUEUED_MAX_DEFAULT
  }
}

interface Watched {
  readonly ino: string
  readonly handle: FSWatcher
  sweep: number
}

class DirectoryWatchers implements Watcher {
  readonly #watched = new Map<string, Watched>()
  #sweep = 0
  #isFull = false
  #isClosed = false

  constructor(
    private readonly root: string,
    private readonly events: WatchEvents,
  ) {
    queue.join(events)
  }

  add(directory: string, ino: string): void {
    const known = this.#watched.get(directory)
    if (known?.ino === ino) {
      known.sweep = this.#sweep
      return
    }
    this.#forget(directory)
    if (this.#isFull || this.#isClosed) return
    try {
      const path = directory === '' ? this.root : `${this.root}/${directory}`
      const handle = watch(path, { persistent: false })
      this.#watched.set(directory, { ino, handle, sweep: this.#sweep })
      handle.on('change', (type, name) => {
        queue.took()
        // It is gone itself, as far as can be told: another one there may get its inode number.
        if (type === 'rename' && name === basename(path)) this.#forget(directory)
        this.events.hint(directory)
      })
      handle.on('error', (error) => {
        this.#forget(directory)
        this.#failed(error)
      })
    } catch (error) {
      this.#failed(error)
    }
  }

  covers(directory: string, ino: string): boolean {
    return this.#isFull || this.#watched.get(directory)?.ino === ino
  }

  sweep(): void {
    for (const [directory, { sweep }] of this.#watched) if (sweep !== this.#sweep) this.#forget(directory)
    this.#sweep++
  }

  close(): void {
    this.#isClosed = true
    queue.leave(this.events)
    for (const directory of [...this.#watched.keys()]) this.#forget(directory)
  }

  #failed(error: unknown): void {
    const errno = errnoOf(error)
    // The directory is gone, or is none: the scan of the one above sees that.
    if (errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'EPERM' || errno === 'EACCES') return
    if (errno !== 'ENOSPC' && errno !== 'EMFILE' && errno !== 'ENFILE') {
      this.events.overflow()
      return
    }
    this.#isFull = true
    this.events.degraded({
      path: '',
      cause: 'not-watched',
      detail: `the system allows no more watches (${errno}); the folder is scanned every minute instead`,
      fix: 'raise fs.inotify.max_user_watches and max_user_instances, and start again',
    })
  }

  #forget(directory: string): void {
    const watched = this.#watched.get(directory)
    if (!watched) return
    this.#watched.delete(directory)
    watched.handle.close()
  }
}
