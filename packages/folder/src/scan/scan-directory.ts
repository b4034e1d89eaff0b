import { errnoOf } from '../adapters/node-file-system.js'
import type { FileStat, FileSystem } from '../ports/file-system.js'
import { UNLISTED } from '../problems.js'
import type { Problem } from '../rows.js'
import { decodeName, refusalOf } from './carried.js'
import { IGNORE_FILE, IGNORE_FILE_BYTES_MAX, type IgnoreRules } from './ignore-rules.js'
import { rulesStamp } from './rules-stamp.js'

/** What one directory holds. */
export type DirectoryScan =
  | {
      readonly state: 'listed'
      /** By local name. */
      readonly found: ReadonlyMap<string, FileStat>
      /** Names that are there but that we do not look at: absent from the tree, and yet not deleted. */
      readonly hidden: ReadonlySet<string>
      /** Those of them that could not be looked at. */
      readonly unseen: ReadonlySet<string>
      readonly problems: readonly Problem[]
      /** Its ignore rules are not those that were taken over last: what lies below must be looked at again. */
      readonly rulesChanged: boolean
    }
  /** Not there, or another directory by now: the directory above says what happened. */
  | { readonly state: 'gone' }
  /** There, but it cannot be known what is in it. */
  | { readonly state: 'unknown'; readonly problem: Problem }

export interface ScanTarget {
  /** Absolute path of the bound directory. */
  readonly root: string
  /** Relative; `''` is the bound directory. */
  readonly path: string
  /** What the directory must be. */
  readonly dev: string
  readonly ino: string
}

const lossy = new TextDecoder('utf-8', { ignoreBOM: true })

/** Lists one directory, never through a symlink, and never on another device. */
export function scanDirectory(files: FileSystem, rules: IgnoreRules, target: ScanTarget): DirectoryScan {
  const { root, path, dev, ino } = target
  const absolute = path === '' ? root : `${root}/${path}`
  const isIt = () => {
    const stat = files.lstat(absolute)
    return stat?.kind === 'dir' && stat.dev === dev && stat.ino === ino
  }
  try {
    if (!isIt()) return { state: 'gone' }
    const names = files.readdir(absolute)
    const scan = new Listing(files, rules, target, absolute)
    scan.readRules(names)
    for (const name of names) scan.add(name)
    // A directory that was swapped for another while we read it told us names of two.
    return isIt() ? scan.result() : { state: 'gone' }
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return { state: 'gone' }
    if (errno === undefined) throw error
    return {
      state: 'unknown',
      problem: {
        path,
        cause: UNLISTED,
        detail: `the directory cannot be listed (${errno})`,
        fix: 'give this user the right to read and enter it',
      },
    }
  }
}

class Listing {
  readonly #found = new Map<string, FileStat>()
  readonly #hidden = new Set<string>()
  readonly #unseen = new Set<string>()
  readonly #problems: Problem[] = []
  #rulesChanged = false

  constructor(
    private readonly files: FileSystem,
    private readonly rules: IgnoreRules,
    private readonly target: ScanTarget,
    private readonly absolute: string,
  ) {}

  readRules(names: readonly Uint8Array[]): void {
    const has = names.some((name) => name.length === IGNORE_FILE.length && lossy.decode(name) === IGNORE_FILE)
    // By its name, as `staleRulesAbove` looks: a disk may find one that is written with other letters.
    const stat = this.files.lstat(`${this.absolute}/${IGNORE_FILE}`)
    this.#rulesChanged = this.rules.set(
      this.target.path,
      has ? this.#rulesText(stat) : undefined,
      rulesStamp(stat),
    )
    const [line] = this.rules.unusable(this.target.path)
    if (line === undefined) return
    this.#addUnruly(`line ${line} is too long, or has \`**\` too often, for a pattern`, 'split it')
  }

  #addUnruly(reason: string, fix: string): void {
    const path = this.#pathOf(IGNORE_FILE)
    this.#problems.push({ path, cause: 'ignore-rule', detail: `${reason}: it hides nothing`, fix })
  }

  add(bytes: Uint8Array): void {
    const name = this.#decode(bytes)
    if (name === undefined) return
    const path = this.#pathOf(name)
    let stat: FileStat | undefined
    try {
      stat = this.files.lstat(`${this.absolute}/${name}`)
    } catch (error) {
      this.#addUnseen(name, error)
      return
    }
    if (!stat) return
    const reason = this.rules.isIgnored(path, stat.kind === 'dir')
      ? 'ignored'
      : refusalOf(name, path, stat, this.target.dev)
    if (reason === undefined) {
      this.#found.set(name, stat)
      return
    }
    this.#hidden.add(name)
    if (reason !== 'ignored') this.#problems.push(reason)
  }

  result(): DirectoryScan {
    return {
      state: 'listed',
      found: this.#found,
      hidden: this.#hidden,
      unseen: this.#unseen,
      problems: this.#problems,
      rulesChanged: this.#rulesChanged,
    }
  }

  /** @throws where it is the directory that cannot be entered. */
  #addUnseen(name: string, error: unknown): void {
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    this.files.lstat(`${this.absolute}/.`)
    this.#hidden.add(name)
    this.#unseen.add(name)
    const path = this.#pathOf(name)
    if (this.rules.isIgnored(path, true) || this.rules.isIgnored(path, false)) return
    this.#problems.push({
      path,
      cause: UNLISTED,
      detail: `it cannot be looked at (${errno})`,
      fix: `mount anew what is mounted there, or unmount it; or name it in ${IGNORE_FILE}`,
    })
  }

  #decode(bytes: Uint8Array): string | undefined {
    const name = decodeName(bytes)
    if (name === undefined) {
      this.#problems.push({
        path: this.#pathOf(lossy.decode(bytes)),
        cause: 'not-utf8',
        detail: 'the name is not UTF-8, other devices could not write it',
        fix: 'rename it',
      })
    }
    return name
  }

  #rulesText(stat: FileStat | undefined): string | undefined {
    if (!stat) return undefined
    if (stat.kind !== 'file') {
      this.#addUnruly(
        stat.kind === 'symlink' ? 'it is a symlink' : 'it is no file',
        'put a file in its place',
      )
      return undefined
    }
    if (stat.size > IGNORE_FILE_BYTES_MAX) {
      this.#addUnruly(`it is larger than ${IGNORE_FILE_BYTES_MAX} bytes`, 'shorten it')
      return undefined
    }
    // Unreadable rules throw: the whole directory is unknown then, rather than shared against its rules.
    return lossy.decode(this.files.readFile(`${this.absolute}/${IGNORE_FILE}`))
  }

  #pathOf(name: string): string {
    return this.target.path === '' ? name : `${this.target.path}/${name}`
  }
}
