import { join, relative, sep } from 'node:path'
import type { FileStat, FileSystem } from '../ports/file-system.js'
import type { SyncedRow } from '../rows.js'
import { errnoOf, isInode, isRowAside, matchesRow, mustBeSystemError, placeNew, putBack } from './disk.js'

/** A path on disk, taken apart. */
export interface Spot {
  /** Absolute. */
  readonly directory: string
  readonly name: string
}
export const pathOf = ({ directory, name }: Spot): string => join(directory, name)

/** As `path.relative`, which takes both paths apart; what stands below needs no more than a cut. */
export function relativeTo(directory: string, path: string): string {
  const isBelow = path.startsWith(directory) && path[directory.length] === sep
  return isBelow ? path.slice(directory.length + 1) : relative(directory, path)
}

/** What an effect came to: the new stamps, or why nothing was done. */
export type Outcome =
  | { readonly done: true; readonly stat: FileStat | undefined }
  /** What stands there is not what the rows say: the user's, left alone. */
  | { readonly done: false; readonly cause: 'changed' }
  /** The old content is aside, and its place is no longer free: whatever stands there is new. */
  | { readonly done: false; readonly cause: 'taken' }
  | { readonly done: false; readonly cause: 'not-empty' }
  | { readonly done: false; readonly cause: 'refused'; readonly errno: string }

const CHANGED: Outcome = { done: false, cause: 'changed' }
const TAKEN: Outcome = { done: false, cause: 'taken' }

/** The disk is no longer as it was when it was looked at. */
const MOVED_ON = new Set(['ENOENT', 'ENOTDIR', 'EEXIST', 'EISDIR', 'ELOOP'])

/** Turns a system's refusal into an outcome; anything that is not one goes up. */
export function attempt(effect: () => Outcome): Outcome {
  try {
    return effect()
  } catch (error) {
    const errno = mustBeSystemError(error)
    return MOVED_ON.has(errno) ? CHANGED : { done: false, cause: 'refused', errno }
  }
}

/**
 * The effects on one place. Each looks at the target first, and again at what it moved away: bytes that
 * no row names are put back. None ever replaces a name: files come in by link(2), which refuses.
 */
export class Effects {
  constructor(private readonly files: FileSystem) {}

  /** To the trash. */
  remove(at: Spot, row: SyncedRow, aside: string): Outcome {
    return this.#moveAside(at, row, aside) ? { done: true, stat: undefined } : CHANGED
  }

  rmdir(at: Spot, row: SyncedRow): Outcome {
    const path = pathOf(at)
    if (!matchesRow(this.files, path, row)) return CHANGED
    try {
      this.files.rmdir(path)
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === 'ENOTEMPTY' || errno === 'EEXIST') return { done: false, cause: 'not-empty' }
      throw error
    }
    return { done: true, stat: undefined }
  }

  mkdir(at: Spot): Outcome {
    const path = pathOf(at)
    try {
      this.files.mkdir(path)
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') return CHANGED
      throw error
    }
    return this.#shown(path)
  }

  create(at: Spot, staged: string): Outcome {
    const path = pathOf(at)
    const ours = this.files.lstat(staged)
    if (!placeNew(this.files, staged, path, 'file')) return CHANGED
    const stat = this.files.lstat(path)
    // Saved over, taken away, or made executable in this very moment: that is for the next scan to see, which looks
    // for ours.
    return { done: true, stat: stat && ours && isInode(stat, ours) ? { ...stat, mode: ours.mode } : ours }
  }

  createSymlink(at: Spot, target: string): Outcome {
    const path = pathOf(at)
    try {
      this.files.symlink(target, path)
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') return CHANGED
      throw error
    }
    return this.#shown(path)
  }

  /** The old content goes aside, the new one in; the name is missing only between two system calls. */
  replace(at: Spot, row: SyncedRow, aside: string, create: () => Outcome): Outcome {
    if (!this.#moveAside(at, row, aside)) return CHANGED
    try {
      const outcome = create()
      return outcome.done ? outcome : TAKEN
    } catch (error) {
      mustBeSystemError(error)
      if (this.#isBack(aside, pathOf(at), row)) throw error
      return TAKEN
    }
  }

  #isBack(aside: string, path: string, { entry }: SyncedRow): boolean {
    try {
      return placeNew(this.files, aside, path, entry.kind === 'file' ? 'file' : 'symlink')
    } catch (error) {
      mustBeSystemError(error)
      return false
    }
  }

  chmod(at: Spot, row: SyncedRow, mode: number): Outcome {
    const path = pathOf(at)
    if (!matchesRow(this.files, path, row)) return CHANGED
    this.files.chmod(path, mode)
    const stat = this.files.lstat(path)
    if (!stat) return CHANGED
    // A disk without modes leaves it as it was; any other is its user's doing, for the next scan to see.
    return { done: true, stat: stat.mode === row.fingerprint.mode ? stat : { ...stat, mode } }
  }

  /**
   * A directory by rename; a file by a second name, then the first one is taken away and looked at.
   *
   * @param scratch A free path in staging.
   */
  move(from: Spot, to: Spot, row: SyncedRow, scratch: string): Outcome {
    const [source, target] = [pathOf(from), pathOf(to)]
    if (!matchesRow(this.files, source, row) || this.files.lstat(target)) return CHANGED
    if (row.entry.kind !== 'file') {
      this.files.rename(source, target)
      const stat = this.files.lstat(target)
      if (stat && isInode(stat, row.fingerprint)) return { done: true, stat }
      putBack(this.files, target, from.directory, from.name)
      return CHANGED
    }
    if (!this.#linked(source, target)) {
      if (!placeNew(this.files, source, target, 'file')) return CHANGED
    } else if (!this.#takeFirstName(from, to, row, scratch)) return CHANGED
    return this.#shown(target)
  }

  /** @returns false where a second name cannot be given: then the caller renames. */
  #linked(source: string, target: string): boolean {
    try {
      this.files.link(source, target)
      return true
    } catch (error) {
      const errno = mustBeSystemError(error)
      if (errno === 'EEXIST' || errno === 'ENOENT') throw error
      return false
    }
  }

  /** Someone may have saved over the first name since the second was given: then that is the user's. */
  #takeFirstName(from: Spot, to: Spot, row: SyncedRow, scratch: string): boolean {
    try {
      this.files.rename(pathOf(from), scratch)
    } catch (error) {
      mustBeSystemError(error)
      this.#takeSecondName(to, row, scratch)
      throw error
    }
    if (this.#isRow(scratch, row)) {
      this.files.unlink(scratch)
      return true
    }
    putBack(this.files, scratch, from.directory, from.name)
    this.#takeSecondName(to, row, scratch)
    return false
  }

  #takeSecondName(to: Spot, row: SyncedRow, scratch: string): void {
    this.files.rename(pathOf(to), scratch)
    if (this.#isRow(scratch, row)) this.files.unlink(scratch)
    else putBack(this.files, scratch, to.directory, to.name)
  }

  #isRow(path: string, { fingerprint }: SyncedRow): boolean {
    const stat = this.files.lstat(path)
    return stat !== undefined && isInode(stat, fingerprint)
  }

  #moveAside(at: Spot, row: SyncedRow, aside: string): boolean {
    const path = pathOf(at)
    if (!matchesRow(this.files, path, row)) return false
    this.files.rename(path, aside)
    if (isRowAside(this.files, aside, row)) return true
    putBack(this.files, aside, at.directory, at.name)
    return false
  }

  #shown(path: string): Outcome {
    const stat = this.files.lstat(path)
    return stat ? { done: true, stat } : CHANGED
  }
}
