import type { EntryKey } from '@tidemark/engine'
import { childAbove } from '../child-above.js'
import { parentOf } from '../parent-of.js'
import type { Problem } from '../rows.js'
import type { DirectoryScan } from '../scan/scan-directory.js'
import type { Item } from './item.js'

/** How many a status lists; the rest is counted. */
const LISTED_MAX = 1_000

/**
 * Local changes that are not sent because this device may only read: they stay on disk, without a write of
 * the space. By the directory whose scan finds them, so that what is looked at again is noted anew.
 */
export class Unsent {
  readonly #byDirectory = new Map<string, Map<string, Item>>()
  /** By path: what was noted where the pass that is under way has looked, or looks everywhere. */
  readonly #before = new Map<string, Item>()
  readonly #deleted = new Set<EntryKey>()
  /** What the last pass that ended has found, those above others first. */
  #found: readonly Item[] = []

  note(item: Item): void {
    if (item.type === 'delete') this.#deleted.add(item.row.key)
    const directory = parentOf(item.path)
    let items = this.#byDirectory.get(directory)
    if (!items) {
      items = new Map()
      this.#byDirectory.set(directory, items)
    }
    items.set(item.path, item)
  }

  /**
   * A directory was looked at: what was noted in it, and below what was noted, may be over. Where the disk does not
   * show something, what was noted there is as it was.
   */
  scanned(directory: string, scan: DirectoryScan): void {
    this.#setAside(directory)
    const isUnseen = (name: string | undefined): boolean =>
      name !== undefined && (scan.state === 'unknown' || (scan.state === 'listed' && scan.unseen.has(name)))
    for (const [path, item] of this.#before) if (isUnseen(childAbove(path, directory))) this.note(item)
  }

  #setAside(directory: string): void {
    const items = this.#byDirectory.get(directory)
    if (!items) return
    for (const other of [...this.#byDirectory.keys()]) {
      if (other !== directory && !isIn(items, other)) continue
      for (const [path, item] of this.#byDirectory.get(other)!) this.#before.set(path, item)
      this.#byDirectory.delete(other)
    }
  }

  /** Whether its absence was noted before: no need to wait again whether it turns up elsewhere. */
  wasDeleted(key: EntryKey): boolean {
    return this.#deleted.has(key)
  }

  /** Everything is being looked at. */
  restart(): void {
    for (const items of this.#byDirectory.values())
      for (const [path, item] of items) this.#before.set(path, item)
    this.#byDirectory.clear()
  }

  clear(): void {
    this.#byDirectory.clear()
    this.#before.clear()
    this.#deleted.clear()
    this.#found = []
  }

  /** A pass has ended: until then what is looked at again counts as it was, and nobody is told that there is nothing. */
  settle(): void {
    this.#before.clear()
    const all = [...this.#byDirectory.values()].flatMap((items) => [...items.values()])
    this.#found = all.sort((a, b) => (a.path < b.path ? -1 : 1))
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
