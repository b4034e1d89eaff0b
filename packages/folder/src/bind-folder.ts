import { randomUUID } from 'node:crypto'
import { realpathSync } from 'node:fs'
import type { Clock, SpaceBinding, Timers } from '@tidemark/engine'
import { systemClock, systemTimers } from '@tidemark/engine/node'
import { PathError } from '@tidemark/protocol'
import { filter, firstValueFrom, type Observable, type Subscription } from 'rxjs'
import { lockFolder } from './adapters/folder-lock.js'
import { nodeFileSystem } from './adapters/node-file-system.js'
import { nodeWatcher } from './adapters/node-watcher.js'
import { mustBeSystemError } from './apply/disk.js'
import type { ApplyContext } from './apply-context.js'
import { Decisions } from './decisions.js'
import type { FolderBinding, FolderEvent, FolderOptions, FolderStatus } from './folder-binding.js'
import { FolderLoop } from './folder-loop.js'
import { DELETE_LIMIT } from './holds.js'
import { type Home, homeOf, prepareHome, readMarker } from './home.js'
import type { PushContext } from './local/push-context.js'
import { RefusedFiles } from './local/refused.js'
import type { FileSystem } from './ports/file-system.js'
import type { OpenWatcher, Watcher } from './ports/watcher.js'
import { Problems } from './problems.js'
import type { Problem } from './rows.js'
import { RowsStore } from './rows-store.js'
import { IgnoreRules } from './scan/ignore-rules.js'
import { isSent, NO_LINK } from './status.js'
import { Wakeups } from './wakeups.js'
import { ExpectedHints } from './watch/expected-hints.js'
import { Hints } from './watch/hints.js'
import { POLL_MS, RESCAN_MS, RescanSchedule } from './watch/rescan-schedule.js'

/** What a folder runs on; every part can be another one in a simulation. */
export interface FolderPlatform {
  readonly files: FileSystem
  readonly openWatcher: OpenWatcher
  readonly clock: Clock
  readonly timers: Timers
  /** @see lockFolder */
  readonly lock: (path: string, binding: string | undefined) => () => void
  /** Without symlinks. @throws {PathError} NOT_A_DIRECTORY. */
  readonly realDirectory: (path: string) => string
  /** Unique for ever. */
  readonly newId: () => string
}

const NODE: FolderPlatform = {
  files: nodeFileSystem,
  openWatcher: nodeWatcher,
  clock: systemClock,
  timers: systemTimers,
  lock: lockFolder,
  realDirectory,
  newId: randomUUID,
}

/**
 * Keeps a directory and a space the same until it is closed.
 *
 * @param directory Must exist. `.tidemark/` in it is the binding's own.
 * @throws {PathError} NOT_A_DIRECTORY.
 * @throws {DatabaseError} LOCKED: another process, or another binding, works on this folder. See `lockFolder`.
 */
export async function bindFolder(
  space: SpaceBinding,
  directory: string,
  options: FolderOptions = {},
  platform: FolderPlatform = NODE,
): Promise<FolderBinding> {
  const root = platform.realDirectory(directory)
  const home = homeOf(root)
  const rows = new RowsStore(space.rows)
  const known = await rows.root()
  // A folder whose marker is gone stays as it is until a person says so: only the lock is put there.
  const isStrange = known !== undefined && markerIfReadable(platform.files, home) !== known.bindingId
  if (!isStrange || platform.files.lstat(home.path) === undefined) prepareHome(platform.files, home)
  return new Binding(space, root, options, platform, rows, platform.lock(home.lock, known?.bindingId))
}

/** The first turn says what is wrong with one that cannot be read, and tries again. */
function markerIfReadable(files: FileSystem, home: Home): string | undefined {
  try {
    return readMarker(files, home)
  } catch (error) {
    mustBeSystemError(error)
    return undefined
  }
}

function realDirectory(directory: string): string {
  const root = realpathSync(directory)
  if (nodeFileSystem.lstat(root)?.kind !== 'dir') throw new PathError('NOT_A_DIRECTORY', directory)
  return root
}

class Binding implements FolderBinding {
  readonly directory: string
  readonly #loop: FolderLoop
  readonly #wakeups: Wakeups
  readonly #watcher: Watcher | undefined
  readonly #decisions = new Decisions()
  readonly #unlock: () => void
  readonly #linked: Subscription
  #closed: Promise<void> | undefined

  constructor(
    space: SpaceBinding,
    directory: string,
    options: FolderOptions,
    platform: FolderPlatform,
    rows: RowsStore,
    unlock: () => void,
  ) {
    const { files, clock, timers } = platform
    this.directory = directory
    this.#unlock = unlock
    const home = homeOf(directory)
    const problems = new Problems()
    const hints = new Hints()
    const expected = new ExpectedHints()
    const rules = new IgnoreRules()
    const wakeups = new Wakeups(timers)
    this.#wakeups = wakeups
    const isWatched = options.watch !== false
    const schedule = new RescanSchedule(isWatched ? RESCAN_MS : undefined, timers.monotonicMs())
    const onEvent = (event: FolderEvent) => {
      this.#decisions.note(
        event.path,
        `${new Date(clock.nowMs()).toISOString()} ${event.type}: ${event.detail}`,
      )
      options.onEvent?.(event)
    }
    this.#watcher = isWatched
      ? platform.openWatcher(directory, {
          hint: (path) => {
            if (expected.takes(path, timers.monotonicMs())) wakeups.wake()
            else this.#loop.hint(path)
          },
          overflow: () => this.#loop.hintAll(),
          degraded: (problem) => {
            problems.set('/watcher', [problem])
            schedule.everyMs = POLL_MS
            this.#loop.hintAll()
          },
        })
      : undefined
    let link = NO_LINK
    this.#linked = space.link$.subscribe((now) => {
      link = now
    })
    const refused = new RefusedFiles()
    const push: PushContext = { space, rows, files, clock, directory, problems, refused, onEvent }
    const apply: ApplyContext = {
      space,
      rows,
      files,
      clock,
      directory,
      staging: home.staging,
      abandoned: new Set(),
      trash: home.trash,
      onEvent,
      expectHints: (directories) => expected.expect(directories),
      refused,
      rules,
      isConnected: () => link.connected,
      isSent: () => isSent(link),
      isReadOnly: () => link.connected && link.readOnly,
    }
    this.#loop = new FolderLoop({
      push,
      apply,
      rootCheck: { space, rows, files, directory, home, newId: platform.newId },
      rules,
      watcher: this.#watcher,
      hints,
      expected,
      wakeups,
      schedule,
      deleteLimit: { ...DELETE_LIMIT, ...options.maxDelete },
    })
    this.#loop.start()
  }

  get status(): FolderStatus {
    return this.#loop.status$.value
  }

  get status$(): Observable<FolderStatus> {
    return this.#loop.status$.asObservable()
  }

  async settled({ signal }: { readonly signal?: AbortSignal } = {}): Promise<FolderStatus> {
    signal?.throwIfAborted()
    const request = this.#loop.hintAll()
    const loop = this.#loop
    const isDone = ({ state }: FolderStatus) => {
      if (loop.lastingError) throw loop.lastingError
      const hasEnded = state === 'held' || state === 'idle' || (state === 'error' && loop.isBlocked)
      return hasEnded && loop.hasLooked(request)
    }
    const settled = firstValueFrom(loop.status$.pipe(filter(isDone)))
    if (!signal) return settled
    let abort: (() => void) | undefined
    const aborted = new Promise<never>((_, reject) => {
      abort = () => reject(signal.reason)
      signal.addEventListener('abort', abort, { once: true })
    })
    // It ends with the binding at the latest.
    settled.catch(() => undefined)
    return Promise.race([settled, aborted]).finally(() => signal.removeEventListener('abort', abort!))
  }

  rescan(): void {
    this.#loop.tryAgain()
  }

  accept(): Promise<void> {
    return this.#loop.accept()
  }

  revert(): Promise<readonly Problem[]> {
    return this.#loop.revert()
  }

  async explain(path: string): Promise<readonly string[]> {
    return this.#decisions.of(path)
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#watcher?.close()
    this.#linked.unsubscribe()
    try {
      await this.#loop.close()
    } finally {
      this.#wakeups.close()
      this.#unlock()
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
