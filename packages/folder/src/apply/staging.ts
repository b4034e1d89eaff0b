import { join } from 'node:path'
import type { ChunkId } from '@tidemark/protocol'
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
/** The root whose download is in the file of this name; `undefined`: it is no part. */
export const rootOfPart = (name: string): ChunkId | undefined =>
  name.startsWith(PART_PREFIX) ? (name.slice(PART_PREFIX.length) as ChunkId) : undefined

/** Copied in one go. */
const COPY_BYTES = 1024 * 1024

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

  /** A copy of a file in staging. @throws system errors, and the signal's reason: then there is none. */
  async copy(
    from: string,
    { mode, mtimeMs }: { readonly mode: number; readonly mtimeMs: number },
    signal: AbortSignal,
  ): Promise<Staged> {
    const path = this.#free(NEW_PREFIX)
    try {
      await copyBytes(this.files, from, path, signal)
      this.files.chmod(path, mode)
      this.files.setMtime(path, mtimeMs)
      return { path, fingerprint: this.files.lstat(path)! }
    } catch (error) {
      if (this.files.lstat(path)) this.files.unlink(path)
      throw error
    }
  }

  partPath(root: string): string {
    return join(this.directory, `${PART_PREFIX}${root}`)
  }

  /** A free path for a file whose version is not known yet. */
  early(): string {
    return this.#free(NEW_PREFIX)
  }

  /** A free path for something that is the user's. */
  scratch(): string {
    return this.#free(SCRATCH_PREFIX)
  }

  #free(prefix: string): string {
    for (;;) {
      const path = this.#next(prefix)
      if (!this.files.lstat(path)) return path
    }
  }

  #next(prefix: string): string {
    return join(this.directory, `${prefix}${this.nowMs().toString(36)}-${this.#count++}`)
  }
}

async function copyBytes(files: FileSystem, from: string, to: string, signal: AbortSignal): Promise<void> {
  const source = files.open(from, 'r')
  try {
    const target = files.open(to, 'rw')
    try {
      for (let offset = 0; ; ) {
        signal.throwIfAborted()
        const bytes = await source.read(offset, COPY_BYTES)
        if (bytes.length === 0) return
        await target.write(offset, bytes)
        offset += bytes.length
      }
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}
