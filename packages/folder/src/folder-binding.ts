import type { Observable } from 'rxjs'
import type { Problem } from './rows.js'

export interface FolderOptions {
  /** Where more than this is deleted here within a minute, what is not sent by then is held until `accept` or `revert`. @default { count: 1000, share: 0.5 }: held when both are exceeded */
  readonly maxDelete?: { readonly count?: number; readonly share?: number }
  /** Watch for changes; without it only `settled()` and `rescan()` scan. @default true */
  readonly watch?: boolean
  /** Lines about what was done and why, one per effect. */
  readonly onEvent?: (event: FolderEvent) => void
}

export interface FolderEvent {
  readonly type: 'sent' | 'applied' | 'problem' | 'held' | 'scan'
  readonly path: string
  readonly detail: string
}

export interface FolderStatus {
  readonly state: 'idle' | 'busy' | 'offline' | 'held' | 'error'
  readonly connected: boolean
  /** Local and remote changes that are not done yet. */
  readonly pending: number
  /** Why the state is what it is, in words. */
  readonly detail: string
  readonly problems: readonly Problem[]
  /** What waits for a person. `entries`: all of the folder, or the changes that may not be sent. */
  readonly held?: { readonly reason: string; readonly deletes: number; readonly entries: number }
  /** Bytes of transfers under way. */
  readonly transfer: { readonly doneBytes: number; readonly totalBytes: number }
}

/** A space bound to a directory on disk. */
export interface FolderBinding extends AsyncDisposable {
  readonly directory: string
  readonly status: FolderStatus
  readonly status$: Observable<FolderStatus>
  /**
   * Rescans, pushes, pulls, applies; resolves when both sides are equal, or held, or when all that is left
   * cannot be put on disk (state `error`, with problems).
   *
   * @throws the signal's reason; what the folder fails with again and again: a full disk, a full hub.
   */
  settled(options?: { readonly signal?: AbortSignal }): Promise<FolderStatus>
  rescan(): void
  /**
   * Lets a held plan go.
   * @throws {AccessError} FORBIDDEN: this device may only read. System errors and those of the database: it, or its deletions, stay held.
   */
  accept(): Promise<void>
  /**
   * Drops the held local changes: the space's state comes back.
   *
   * @returns what the disk does not let be moved to the trash: it stays and is not sent; a folder that was
   *   held as a whole stays held. Of what is held nothing is dropped while something cannot be looked at: then it
   *   returns that.
   * @throws {TransportError} without a hub, when that is done and bytes are missing that only the hub has. System
   *   errors: what a failure left half done cannot be settled now; nothing was dropped. Errors of the database: when
   *   the last note could not be written, `status` says that nothing is held any more, and all comes back.
   */
  revert(): Promise<readonly Problem[]>
  /** What happened to a path and why, newest last. */
  explain(path: string): Promise<readonly string[]>
  close(): Promise<void>
}
