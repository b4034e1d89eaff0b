import { join } from 'node:path'
import type { FileStat, FileSystem } from '../ports/file-system.js'
import type { Fingerprint } from '../rows.js'
import { errnoOf } from './disk.js'

/** A complete file in staging that waits for its name. */
export interface Staged {
  /** Absolute. */
  readonly path: string
  readonly fingerprint: Fingerprint
}

/** Complete content of ours: may be removed at any time while nothing names it. */
const NEW_PREFIX = 'new-'
/** Downloads under way, by root. */
const PART_PREFIX = 'part-'
/** A user's things on their way; never removed without a look. */
const SCRATCH_PREFIX = 'hold-'

export const isStagedContent = (name: string): boolean => name.startsWith(NEW_PREFIX)
export const isPart = (name: string): boolean => name.startsWith(PART_PREFIX)

/** Names in the staging directory. */
export class StagingArea {
  #count = 0

  constructor(
    private readonly files: FileSystem,
    readonly directory: string,
    private readonly nowMs: () => number,
  ) {}

  /** Writes a small file. @throws system errors. */
  write(bytes: Uint8Array, mode: number, mtimeMs: number): Staged {
    for (;;) {
      const path = this.#next(NEW_PREFIX)
      try {
        const fingerprint: FileStat = this.files.writeNew(path, bytes, { mode, mtimeMs })
        return { path, fingerprint }
      } catch (error) {
        if (errnoOf(error) !== 'EEXIST') throw error
      }
    }
  }

  partPath(root: string): string {
    return join(this.directory, `${PART_PREFIX}${root}`)
  }

  /** A free path for something that is the user's. */
  scratch(): string {
    for (;;) {
      const path = this.#next(SCRATCH_PREFIX)
      if (!this.files.lstat(path)) return path
    }
  }

  #next(prefix: string): string {
    return join(this.directory, `${prefix}${this.nowMs().toString(36)}-${this.#count++}`)
  }
}
