import { childAbove } from '../child-above.js'
import { parentOf } from '../parent-of.js'
import type { FileStat } from '../ports/file-system.js'
import type { Fingerprint, Problem } from '../rows.js'
import { sameIdentity, sameStamps } from './identity.js'

/** How many a status lists. */
const LISTED_MAX = 1_000

/** Why, as the hub says. */
export interface RefusalWords {
  readonly code: string
  readonly message: string
}

interface RefusedFile extends RefusalWords {
  readonly kind: FileStat['kind']
  readonly fingerprint: Fingerprint
}

/**
 * What stands on this disk and the hub refused, by its path. It stays, nothing of it is sent, and nothing of others
 * takes its place, until it changes, is moved, or somebody asks for another attempt. Forgotten when the program
 * ends: its next start is another attempt.
 */
export class RefusedFiles {
  readonly #byPath = new Map<string, RefusedFile>()

  /** @param stamps As they were when it was sent. */
  note(path: string, kind: FileStat['kind'], stamps: Fingerprint, { code, message }: RefusalWords): void {
    this.#byPath.set(path, { kind, fingerprint: stamps, code, message })
  }

  /** Whether what stands at a path is what was refused there. What is another is forgotten. */
  holds(path: string, stat: FileStat): boolean {
    if (this.#byPath.size === 0) return false
    const known = this.#byPath.get(path)
    if (!known) return false
    const isSame =
      known.kind === 'dir' ? sameIdentity(known.fingerprint, stat) : sameStamps(known.fingerprint, stat)
    if (isSame && known.kind === stat.kind) return true
    this.#byPath.delete(path)
    return false
  }

  /**
   * A directory was listed: what is not in it any more is forgotten, with all that was in that.
   *
   * @param mayBeThere Also of what the disk did not show.
   */
  listed(directory: string, mayBeThere: (name: string) => boolean): void {
    for (const path of this.#byPath.keys()) {
      const at = childAbove(path, directory)
      if (at !== undefined && !mayBeThere(at)) this.#byPath.delete(path)
    }
  }

  /** What others moved is no other thing for that, nor is what is in it. Paths relative to the bound directory. */
  moved(from: string, to: string): void {
    for (const [path, file] of [...this.#byPath]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue
      this.#byPath.delete(path)
      this.#byPath.set(to + path.slice(from.length), file)
    }
  }

  /** Everything is worth another attempt. @returns whether there was anything. */
  clear(): boolean {
    const wasAny = this.#byPath.size > 0
    this.#byPath.clear()
    return wasAny
  }

  get size(): number {
    return this.#byPath.size
  }

  /** For the status; of a directory with all that is in it only the directory. */
  problems(): readonly Problem[] {
    const problems: Problem[] = []
    for (const [path, { code, message }] of this.#byPath) {
      if (this.#isBelowOne(path)) continue
      if (problems.length === LISTED_MAX) break
      problems.push({
        path,
        cause: 'refused-by-hub',
        detail: `the hub refuses it (${code}): ${message}`,
        fix: 'change or rename it; or ask who runs the hub, then rescan or start the sync anew',
      })
    }
    return problems
  }

  #isBelowOne(path: string): boolean {
    for (let at = parentOf(path); at !== ''; at = parentOf(at)) if (this.#byPath.has(at)) return true
    return false
  }
}
