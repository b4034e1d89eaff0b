import { createHash } from 'node:crypto'
import { join, sep } from 'node:path'
import type { FileKind, FileStat, FileSystem } from '../ports/file-system.js'
import type { Fingerprint, SyncedRow } from '../rows.js'
import { suffixedName } from '../suffixed-name.js'

/** The `code` of a system error, `undefined` for anything else. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** An expected refusal of the disk; anything else (a bug, a test's crash) goes up. */
export function mustBeSystemError(error: unknown): string {
  const errno = errnoOf(error)
  if (errno === undefined || !/^E[A-Z0-9]+$/.test(errno)) throw error
  return errno
}

export const isInode = (a: Fingerprint, b: Fingerprint): boolean => a.dev === b.dev && a.ino === b.ino

/** The same file with the same bytes, as far as stamps that a rename leaves alone can tell. */
export const sameFile = (a: Fingerprint, b: Fingerprint): boolean =>
  isInode(a, b) && a.size === b.size && a.mtimeNs === b.mtimeNs

/** Nothing happened to it at all. */
export const untouched = (a: Fingerprint, b: Fingerprint): boolean =>
  sameFile(a, b) && a.ctimeNs === b.ctimeNs

/**
 * What stands at a path below `directory` itself: what a symlink on the way leads to stands elsewhere, if it leads
 * anywhere.
 *
 * @param path Relative; `''` for the directory.
 */
export function lstatBelow(files: FileSystem, directory: string, path: string): FileStat | undefined {
  const names = path === '' ? [] : join(path).split(sep)
  const name = names.pop()
  if (name === undefined) return files.lstat(directory)
  let above = directory
  for (const each of names) {
    above = join(above, each)
    if (files.lstat(above)?.kind !== 'dir') return undefined
  }
  return files.lstat(join(above, name))
}

/** Whether something stands at an absolute path, or the disk does not say. */
export function mayBeThere(files: Pick<FileSystem, 'lstat'>, path: string): boolean {
  try {
    return files.lstat(path) !== undefined
  } catch (error) {
    mustBeSystemError(error)
    return true
  }
}

type Looks = Pick<FileSystem, 'lstat' | 'readFile'>
type Names = Pick<FileSystem, 'lstat' | 'link' | 'unlink' | 'rename'>

/** Largest racy file that is read to compare: a chunk at most. */
const RACY_BYTES_MAX = 1 << 20

/**
 * Whether what stands at `path` is what the row says. Stamps of a racy row prove nothing: a small file is
 * read, a large one counts as changed until the next scan. Nor does the time of change of a file with several
 * names: what is done here to one of them changes it for all.
 */
export function matchesRow(files: Looks, path: string, row: SyncedRow): boolean {
  const stat = files.lstat(path)
  if (!stat || stat.kind !== row.entry.kind) return false
  if (stat.kind === 'dir') return isInode(stat, row.fingerprint)
  const isUntouched = untouched(stat, row.fingerprint)
  const isShared = stat.kind === 'file' && stat.nlink > 1 && sameFile(stat, row.fingerprint)
  if (!isUntouched && !isShared) return false
  return (!row.racy && isUntouched) || holdsBytes(files, path, stat, row)
}

/** Whether a file that was moved aside is still what the row says: a rename has given it another time of change. */
export function isRowAside(files: Looks, path: string, row: SyncedRow): boolean {
  const stat = files.lstat(path)
  if (!stat || !sameFile(stat, row.fingerprint)) return false
  return !row.racy || holdsBytes(files, path, stat, row)
}

/** By reading a small file; a large one does not count as read. What is no file has no bytes. */
function holdsBytes(files: Looks, path: string, stat: FileStat, { entry: { version } }: SyncedRow): boolean {
  if (stat.kind !== 'file' || !version) return true
  if (version.height > 0 || stat.size > RACY_BYTES_MAX) return false
  return createHash('sha256').update(files.readFile(path)).digest('hex') === version.root
}

/** Refusals of link(2) that mean "not on this file system", not "not here". */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV'])

/**
 * Renames without ever replacing: by link and unlink. Directories, and other things where they can have no second
 * name: a look, then a rename (a directory replaces nothing but an empty one).
 *
 * @returns whether it was done; if not, something stands at `to` and nothing happened.
 */
export function placeNew(files: Names, from: string, to: string, kind: FileKind): boolean {
  if (kind !== 'dir') {
    const linked = link(files, from, to)
    if (linked === 'taken') return finishPlacing(files, from, to)
    if (linked === 'done') {
      files.unlink(from)
      return true
    }
  }
  if (files.lstat(to)) return false
  files.rename(from, to)
  return true
}

/**
 * Gives a file a second name.
 *
 * @returns `taken`: something stands at `to`; `no-links`: the file system gives no second names.
 * @throws other system errors.
 */
export function link(files: Pick<Names, 'link'>, from: string, to: string): 'done' | 'taken' | 'no-links' {
  try {
    files.link(from, to)
    return 'done'
  } catch (error) {
    const errno = mustBeSystemError(error)
    if (errno === 'EEXIST') return 'taken'
    if (!NO_LINKS.has(errno)) throw error
    return 'no-links'
  }
}

/** An earlier attempt may have ended between the two names. */
function finishPlacing(files: Names, from: string, to: string): boolean {
  const [a, b] = [files.lstat(from), files.lstat(to)]
  if (!a || !b || !isInode(a, b)) return false
  files.unlink(from)
  return true
}

/** A name, and those beside it when it is taken: `f.txt`, `f (local 1).txt`, `f (local 2).txt`, … without end. */
function* namesBeside(name: string): Generator<string, never> {
  yield name
  for (let n = 1; ; n++) yield suffixedName(name, ` (local ${n})`)
}

/** Whether another name is one of `namesBeside(name)`. */
export function isBeside(name: string, other: string): boolean {
  // A disk may have taken its letters apart.
  const [wanted, found] = [name.normalize('NFC'), other.normalize('NFC')]
  const suffixes = [...found.matchAll(/ \(local \d+\)/g)].map(([suffix]) => suffix)
  return found === wanted || suffixes.some((suffix) => found === suffixedName(wanted, suffix))
}

/**
 * Gives the user back what turned out to be theirs: at its own name, or beside it when that is taken.
 *
 * @param isFree Whether a name may be used if nothing stands there.
 * @returns the name that it got.
 */
export function putBack(
  files: Names,
  from: string,
  directory: string,
  name: string,
  isFree = (_name: string): boolean => true,
): string {
  const kind: FileStat['kind'] = files.lstat(from)?.kind ?? 'file'
  const names = namesBeside(name)
  for (;;) {
    const { value } = names.next()
    if (isFree(value) && placeNew(files, from, `${directory}/${value}`, kind)) return value
  }
}
