import { join, relative, sep } from 'node:path'
import type { FileStat, FileSystem } from '../ports/file-system.js'
import type { SyncedRow } from '../rows.js'
import {
  errnoOf,
  isInode,
  isRowAside,
  link,
  matchesRow,
  mustBeSystemError,
  placeNew,
  putBack,
  sameFile,
} from './disk.js'

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
  /** Refused after something was changed: what stands where is for `Settling` to see. */
  | { readonly done: false; readonly cause: 'half-done'; readonly errno: string }

const CHANGED: Outcome = { done: false, cause: 'changed' }
const TAKEN: Outcome = { done: false, cause: 'taken' }

/** Stamps that nothing on a disk has. */
const NO_SIZE = -1

/** The disk is no longer as it was when it was looked at. */
const MOVED_ON = new Set(['ENOENT', 'ENOTDIR', 'EEXIST', 'EISDIR', 'ELOOP'])

/** The calls that effects are made of. */
type EffectCalls = Pick<
  FileSystem,
  'lstat' | 'readFile' | 'readlink' | 'mkdir' | 'rmdir' | 'rename' | 'link' | 'unlink' | 'symlink' | 'chmod'
>

/** The same calls; `changed` is told of each one that has changed something. */
function noting(files: EffectCalls, changed: () => void): EffectCalls {
  const note =
    <A extends unknown[]>(call: (...args: A) => void) =>
    (...args: A): void => {
      call.apply(files, args)
      changed()
    }
  return {
    lstat: (path) => files.lstat(path),
    readFile: (path) => files.readFile(path),
    readlink: (path) => files.readlink(path),
    mkdir: note(files.mkdir),
    rmdir: note(files.rmdir),
    rename: note(files.rename),
    link: note(files.link),
    unlink: note(files.unlink),
    symlink: note(files.symlink),
    chmod: note(files.chmod),
  }
}

/**
 * The effects on one place. Each looks at the target first, and again at what it moved away: bytes that
 * no row names are put back. None ever replaces a name: files and symlinks come in by link(2), which refuses, where
 * they can have a second name.
 */
export class Effects {
  private readonly files: EffectCalls
  /** Calls that changed something. */
  #changes = 0

  constructor(files: EffectCalls) {
    this.files = noting(files, () => this.#changes++)
  }

  /**
   * Turns a system's refusal into an outcome; anything that is not one goes up. Refused after the first change,
   * an effect is half done, and nobody may take what it left for its user's doing.
   */
  attempt(effect: () => Outcome): Outcome {
    const before = this.#changes
    try {
      return effect()
    } catch (error) {
      const errno = mustBeSystemError(error)
      if (this.#changes > before) return { done: false, cause: 'half-done', errno }
      return MOVED_ON.has(errno) ? CHANGED : { done: false, cause: 'refused', errno }
    }
  }

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
    // Written to, saved over, taken away, or made executable in this very moment: that is for the next scan to see,
    // which looks for ours.
    return { done: true, stat: stat && ours && sameFile(stat, ours) ? { ...stat, mode: ours.mode } : ours }
  }

  createSymlink(at: Spot, target: string): Outcome {
    const path = pathOf(at)
    try {
      this.files.symlink(target, path)
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') return CHANGED
      throw error
    }
    const stat = this.files.lstat(path)
    if (!stat) return CHANGED
    // Another may have its place by now: that is for the next scan to see.
    const isOurs =
      stat.kind === 'symlink' && Buffer.from(this.files.readlink(path)).toString('utf8') === target
    return { done: true, stat: isOurs ? stat : { ...stat, size: NO_SIZE } }
  }

  /** The old content goes aside, the new one in; the name is missing only between two system calls. */
  replace(at: Spot, row: SyncedRow, aside: string, create: () => Outcome): Outcome {
    if (!this.#moveAside(at, row, aside)) return CHANGED
    const created = this.attempt(create)
    if (created.done || created.cause === 'half-done') return created
    const back = this.attempt(() => this.#giveBack(aside, pathOf(at), row))
    if (back.done) return created
    return back.cause === 'half-done' ? back : TAKEN
  }

  #giveBack(aside: string, path: string, { entry }: SyncedRow): Outcome {
    const isBack = placeNew(this.files, aside, path, entry.kind === 'file' ? 'file' : 'symlink')
    return isBack ? { done: true, stat: undefined } : TAKEN
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
   * A directory by rename; a file or symlink by a second name, then the first one is taken away and looked at.
   *
   * @param scratch A free path in staging.
   */
  move(from: Spot, to: Spot, row: SyncedRow, scratch: string): Outcome {
    const [source, target] = [pathOf(from), pathOf(to)]
    if (!matchesRow(this.files, source, row) || this.files.lstat(target)) return CHANGED
    const linked = row.entry.kind === 'dir' ? 'no-links' : link(this.files, source, target)
    if (linked === 'taken') return CHANGED
    if (linked === 'done') {
      const taken = this.#takeFirstName(from, to, row, scratch)
      return taken.done ? this.#shown(target) : taken
    }
    this.files.rename(source, target)
    const stat = this.files.lstat(target)
    if (stat && isInode(stat, row.fingerprint)) return { done: true, stat }
    putBack(this.files, target, from.directory, from.name)
    return CHANGED
  }

  /** Someone may have saved over the first name since the second was given: then that is the user's. */
  #takeFirstName(from: Spot, to: Spot, row: SyncedRow, scratch: string): Outcome {
    const taken = this.attempt(() => {
      this.files.rename(pathOf(from), scratch)
      return { done: true, stat: undefined }
    })
    if (!taken.done) {
      this.#takeSecondName(from, to, row, scratch)
      return taken
    }
    if (this.#isRow(scratch, row)) {
      this.files.unlink(scratch)
      return taken
    }
    putBack(this.files, scratch, from.directory, from.name)
    this.#takeSecondName(from, to, row, scratch)
    return CHANGED
  }

  #takeSecondName(from: Spot, to: Spot, row: SyncedRow, scratch: string): void {
    const [first, second] = [pathOf(from), pathOf(to)]
    try {
      this.files.rename(second, scratch)
    } catch (error) {
      mustBeSystemError(error)
      if (!this.#isRow(first, row) || !this.#isRow(second, row)) throw error
      // Nothing is renamed from here to staging, as out of a mount: the look must do.
      this.files.unlink(second)
      return
    }
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
