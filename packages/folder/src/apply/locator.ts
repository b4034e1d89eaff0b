import { join } from 'node:path'
import type { EntryKey } from '@tidemark/engine'
import { ROOT } from '@tidemark/protocol'
import type { FileStat, FileSystem } from '../ports/file-system.js'
import { STAGING_DIR, type SyncedRow } from '../rows.js'
import { mustBeSystemError } from './disk.js'
import type { DirId, Place } from './step.js'

interface KnownDir {
  place: Place
  readonly dev: string
  readonly ino: string
}

/** Where the directories of a plan are now, while its steps move them; and whether the disk agrees. */
export class Locator {
  readonly #dirs = new Map<DirId, KnownDir>()

  constructor(
    private readonly files: FileSystem,
    private readonly directory: string,
    private readonly staging: string,
    private readonly root: { readonly dev: string; readonly ino: string } | undefined,
    rows: Iterable<SyncedRow>,
  ) {
    for (const { key, dir, localName, fingerprint } of rows) {
      this.set(key, { dir, name: localName }, fingerprint)
    }
  }

  set(id: DirId, place: Place, { dev, ino }: { readonly dev: string; readonly ino: string }): void {
    this.#dirs.set(id, { place, dev, ino })
  }

  /** A directory that is about to be made: it has a path, and nobody may go through it before it is `set`. */
  announce(id: DirId, place: Place): void {
    this.#dirs.set(id, { place, dev: '', ino: '' })
  }

  move(id: DirId, place: Place): void {
    const dir = this.#dirs.get(id)
    if (dir) dir.place = place
  }

  remove(id: DirId): void {
    this.#dirs.delete(id)
  }

  /** Absolute path; `undefined` when a directory above is not known. */
  absolute({ dir, name }: Place): string | undefined {
    const above = this.absoluteDir(dir)
    return above === undefined ? undefined : join(above, name)
  }

  absoluteDir(dir: DirId): string | undefined {
    if (dir === ROOT) return this.directory
    if (dir === STAGING_DIR) return this.staging
    const known = this.#dirs.get(dir)
    return known && this.absolute(known.place)
  }

  /** Relative to the bound directory, joined by `/`; what is lifted shows as its bare name. */
  relative({ dir, name }: Place): string {
    const above = this.relativeDir(dir)
    return above === '' ? name : `${above}/${name}`
  }

  relativeDir(dir: DirId): string {
    const known = this.#dirs.get(dir)
    return known ? this.relative(known.place) : ''
  }

  /**
   * Looks whether each directory from the bound one down to `dir` is a real directory and the one that
   * the rows know. @returns the first that is not, as the relative path of the directory to look at again.
   */
  unsound(dir: DirId): string | undefined {
    if (dir === STAGING_DIR) return undefined
    if (dir === ROOT) return this.#isSound(this.directory, this.root) ? undefined : ''
    const known = this.#dirs.get(dir)
    if (!known) return ''
    const above = this.unsound(known.place.dir)
    if (above !== undefined) return above
    const path = this.absolute(known.place)
    return path !== undefined && this.#isSound(path, known) ? undefined : this.relativeDir(known.place.dir)
  }

  #isSound(path: string, known: { readonly dev: string; readonly ino: string } | undefined): boolean {
    const stat = statIfAllowed(this.files, path)
    return stat?.kind === 'dir' && (!known || (stat.dev === known.dev && stat.ino === known.ino))
  }
}

/** What may not be looked at is not known to be sound: nothing goes through it. */
function statIfAllowed(files: FileSystem, path: string): FileStat | undefined {
  try {
    return files.lstat(path)
  } catch (error) {
    mustBeSystemError(error)
    return undefined
  }
}

/** The directories that are what their rows say; those below one that is not are left out too. */
export function soundDirs(
  locator: Locator,
  dirs: ReadonlyMap<EntryKey, SyncedRow>,
): Map<EntryKey, SyncedRow> {
  return new Map([...dirs].filter(([key]) => locator.unsound(key) === undefined))
}
