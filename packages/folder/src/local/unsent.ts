import type { EntryKey } from '@tidemark/engine'
import { childAbove } from '../child-above.js'
import { parentOf } from '../parent-of.js'
import type { Problem, SyncedRow } from '../rows.js'
import type { DirectoryScan } from '../scan/scan-directory.js'
import type { Item } from './item.js'

/** How many a status lists; the rest is counted. */
const LISTED_MAX = 1_000

/**
 * Local changes that are not sent because this device may only read: they stay on disk, without a write of
 * the space. One for each entry that is changed, and one for each place of what is new; by the directory whose
 * scan finds them, so that what is looked at again is noted anew.
 */
export class Unsent {
  readonly #items = new Map<string, Item>()
  /** Keys of directories, and what was found in them. */
  readonly #byDirectory = new Map<EntryKey, Set<string>>()
  /** What was noted where the pass that is under way has looked, or looks everywhere. */
  readonly #before = new Map<string, Item>()
  readonly #deleted = new Set<EntryKey>()
  /** Moves that were noted where another look is being taken. */
  readonly #moves = new Map<EntryKey, SyncedRow>()
  /** What the last pass that ended has found, those above others first. */
  #found: readonly Item[] = []

  note(item: Item): void {
    if (item.type === 'delete') {
      // Whoever looks at its old place alone misses what went elsewhere.
      if (this.movedTo(item.row.key) !== undefined) return
      this.#deleted.add(item.row.key)
      // What was changed or made in a directory is gone with it.
      this.#setAside(item.row.key)
    }
    const word = wordOf(item)
    this.#forget(word)
    this.#items.set(word, item)
    const directory = directoryOf(item)
    const words = this.#byDirectory.get(directory)
    if (words) words.add(word)
    else this.#byDirectory.set(directory, new Set([word]))
  }

  /**
   * A directory was looked at: what was noted in it, and in directories that came to it, may be over. Where the disk
   * does not show something, what was noted there is as it was.
   *
   * @param directory `undefined`: one without an entry, in which nothing is noted.
   * @param path Of the directory.
   */
  scanned(directory: EntryKey | undefined, path: string, scan: DirectoryScan): void {
    if (directory !== undefined) this.#setAside(directory)
    if (scan.state === 'gone' || (scan.state === 'listed' && scan.unseen.size === 0)) return
    const isUnseen = (name: string | undefined): boolean =>
      name !== undefined && (scan.state === 'unknown' || (scan.state === 'listed' && scan.unseen.has(name)))
    for (const item of [...this.#before.values()]) if (isUnseen(childAbove(item.path, path))) this.note(item)
  }

  #setAside(directory: EntryKey): void {
    for (const word of [...(this.#byDirectory.get(directory) ?? [])]) {
      const item = this.#items.get(word)!
      this.#forget(word)
      this.#before.set(word, item)
      if (item.type !== 'move') continue
      this.#moves.set(item.row.key, item.row)
      if (item.stat.kind === 'dir') this.#setAside(item.row.key)
    }
  }

  #forget(word: string): void {
    const item = this.#items.get(word)
    if (!item) return
    this.#items.delete(word)
    const directory = directoryOf(item)
    const words = this.#byDirectory.get(directory)!
    words.delete(word)
    if (words.size === 0) this.#byDirectory.delete(directory)
  }

  /** The directory (relative) that it was found to be moved to. */
  movedTo(key: EntryKey): string | undefined {
    const item = this.#items.get(key)
    return item?.type === 'move' ? parentOf(item.path) : undefined
  }

  /** Rows of which a move was noted, and is no more; nor is anything else. Each is told once. */
  takeLost(): readonly SyncedRow[] {
    const lost = [...this.#moves.values()].filter(({ key }) => !this.#items.has(key))
    this.#moves.clear()
    return lost
  }

  /** Whether its absence was noted before: no need to wait again whether it turns up elsewhere. */
  wasDeleted(key: EntryKey): boolean {
    return this.#deleted.has(key)
  }

  /** Everything is being looked at. */
  restart(): void {
    for (const [word, item] of this.#items) this.#before.set(word, item)
    this.#items.clear()
    this.#byDirectory.clear()
    this.#moves.clear()
  }

  clear(): void {
    this.restart()
    this.#before.clear()
    this.#deleted.clear()
    this.#found = []
  }

  /** A pass has ended: until then what is looked at again counts as it was, and nobody is told that there is nothing. */
  settle(): void {
    this.#before.clear()
    this.#found = [...this.#items.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
  }

  get size(): number {
    return this.#found.length
  }

  /** All of them, those above others first. */
  list(): readonly Item[] {
    return this.#found
  }

  /** For the status; of a directory with all that is in it only the directory. */
  problems(): readonly Problem[] {
    const problems: Problem[] = []
    const paths = new Set(this.#found.map(({ path }) => path))
    for (const { path, type } of this.#found) {
      if (isIn(paths, parentOf(path))) continue
      if (problems.length === LISTED_MAX) break
      problems.push({
        path,
        cause: 'read-only',
        detail: `${WORDS[type]} here, and not sent: this device may only read`,
        fix: '`revert` throws it away; or ask for the right to write, then it is sent',
      })
    }
    return problems
  }
}

/** What it is about: an entry, or the place of something new. */
const wordOf = (item: Item): string =>
  item.type === 'create' ? `${directoryOf(item)}/${item.name}` : item.row.key

/** Whose scan finds it. */
function directoryOf(item: Item): EntryKey {
  switch (item.type) {
    case 'create':
    case 'move':
      return item.dir.key ?? item.dir.ref
    case 'verify':
    case 'rebind':
      return item.row.dir
    case 'delete':
      return item.top.row.dir
  }
}

/** This path, or one above it. */
function isIn(paths: { has(path: string): boolean }, path: string): boolean {
  for (let at = path; at !== ''; at = parentOf(at)) if (paths.has(at)) return true
  return false
}

const WORDS: Readonly<Record<Item['type'], string>> = {
  create: 'made',
  verify: 'changed',
  move: 'moved',
  rebind: 'replaced',
  delete: 'deleted',
}
