import { join } from 'node:path'
import { NAME_BYTES_MAX } from '@tidemark/protocol'
import type { FileSystem } from '../ports/file-system.js'
import { cut } from '../suffixed-name.js'
import { errnoOf, mustBeSystemError } from './disk.js'
import { agesAt, readAges, writeAges } from './trash-ages.js'

/** What has been here for longer goes at the next pruning. */
export const TRASH_AGE_MS_MAX = 30 * 24 * 3_600_000
/** Of the volume; above it go what is above it alone, then the oldest. */
export const TRASH_SHARE_MAX = 0.1

/**
 * What was deleted or replaced on this disk: `<trash>/<time>-<n>/relative/path`, a group for each plan.
 * Moved by rename, so never to another device; pruned by age and by share of the volume.
 */
export class Trash {
  #group: string | undefined
  readonly #made = new Set<string>()

  constructor(
    private readonly files: FileSystem,
    private readonly directory: string,
    private readonly nowMs: () => number,
  ) {}

  /**
   * A free place for what stands at this relative path; the directories above it exist.
   * @returns absolute path.
   */
  placeFor(relativePath: string): string {
    const names = relativePath.split('/')
    const name = names.pop()!
    let above = this.#openGroup()
    for (const each of names) {
      above = join(above, each)
      this.#makeDirectory(above)
    }
    for (let n = 0; ; n++) {
      const path = join(above, n === 0 ? name : `${cut(name, NAME_BYTES_MAX - `${n}`.length - 1)}.${n}`)
      if (!this.#made.has(path) && !this.files.lstat(path)) {
        this.#made.add(path)
        return path
      }
    }
  }

  /** The next thing goes to a new group. */
  closeGroup(): void {
    this.#group = undefined
    this.#made.clear()
  }

  #openGroup(): string {
    if (this.#group !== undefined) return this.#group
    for (let n = 0; ; n++) {
      const group = join(this.directory, `${this.nowMs()}-${n}`)
      if (this.files.lstat(group)) continue
      this.files.mkdir(group)
      this.#group = group
      return group
    }
  }

  #makeDirectory(path: string): void {
    if (this.#made.has(path)) return
    try {
      this.files.mkdir(path)
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error
    }
    this.#made.add(path)
  }
}

/** In the order in which they were made, as far as the names tell. */
const compareGroups = (a: string, b: string): number => timeOf(a) - timeOf(b) || (a < b ? -1 : 1)
const timeOf = (group: string): number => Number(group.split('-')[0])

/**
 * Removes groups that have been here longer than TRASH_AGE_MS_MAX or are above TRASH_SHARE_MAX of the volume
 * alone, then the oldest until the rest is within that share. What cannot be removed stays; it is looked at again at the next pruning.
 *
 * @param nowMs Wall clock; it may jump (see `LOOK_MS_MAX`).
 * @returns bytes that were freed.
 * @throws system errors, where the trash cannot be looked at.
 */
export function pruneTrash(files: FileSystem, directory: string, nowMs: number): number {
  const groups = listGroups(files, directory)
  if (groups.length === 0) return 0
  const looked = agesAt(readAges(files, directory), groups, nowMs)
  const ageOf = (group: string): number => looked.ages.get(group)!
  groups.sort((a, b) => ageOf(b) - ageOf(a) || compareGroups(a, b))
  // Newest first: of a file with names in several groups, the last of these to go frees the room.
  const counted = new Set<string>()
  const sizes = new Map(
    groups.toReversed().map((name) => [name, allocatedBytes(files, join(directory, name), counted)]),
  )
  let total = [...sizes.values()].reduce((sum, size) => sum + size, 0)
  const allowed = files.room(directory).totalBytes * TRASH_SHARE_MAX
  const kept = new Map(looked.ages)
  let freed = 0
  // One that is too large by itself must go whatever else does: no other one makes room for it.
  const isTooLarge = (name: string): boolean => sizes.get(name)! > allowed
  for (const name of [...groups.filter(isTooLarge), ...groups.filter((each) => !isTooLarge(each))]) {
    if (ageOf(name) <= TRASH_AGE_MS_MAX && total <= allowed) continue
    const path = join(directory, name)
    removeTree(files, path)
    if (files.lstat(path)) continue
    kept.delete(name)
    total -= sizes.get(name)!
    freed += sizes.get(name)!
  }
  writeAges(files, directory, { ...looked, ages: kept })
  return freed
}

const listGroups = (files: FileSystem, directory: string): string[] =>
  files
    .readdir(directory)
    .map((bytes) => Buffer.from(bytes).toString('utf8'))
    .filter((name) => /^\d+-\d+$/.test(name))

/**
 * As far as it may be looked at: one closed directory does not keep the rest from being pruned.
 *
 * @param counted Inodes that are passed over; what is counted is added.
 */
function allocatedBytes(files: FileSystem, path: string, counted: Set<string>): number {
  let size = 0
  try {
    const stat = files.lstat(path)
    if (!stat) return 0
    if (stat.kind !== 'dir') {
      const inode = `${stat.dev} ${stat.ino}`
      if (stat.nlink > 1 && counted.has(inode)) return 0
      if (stat.nlink > 1) counted.add(inode)
      return stat.allocatedBytes
    }
    for (const bytes of files.readdir(path))
      size += allocatedBytes(files, join(path, Buffer.from(bytes).toString('utf8')), counted)
  } catch (error) {
    mustBeSystemError(error)
  }
  return size
}

/** Never follows a symlink. */
function removeTree(files: FileSystem, path: string): void {
  try {
    if (files.lstat(path)?.kind === 'dir') {
      for (const bytes of files.readdir(path))
        removeTree(files, join(path, Buffer.from(bytes).toString('utf8')))
      files.rmdir(path)
    } else files.unlink(path)
  } catch (error) {
    mustBeSystemError(error)
  }
}
