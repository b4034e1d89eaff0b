import { RESERVED_NAME } from '@tidemark/protocol'
import ignore, { type Ignore } from 'ignore'

/** Rules in the syntax of gitignore, for the directory that holds the file and all below it. */
export const IGNORE_FILE = '.tidemarkignore'
/** A rules file beyond this is not read: it is no rules file. */
export const IGNORE_FILE_BYTES_MAX = 1024 * 1024

/**
 * What a folder's owner does not want to share. Deeper files overrule higher ones, within a file the
 * last matching line decides, and what lies below an ignored directory cannot be brought back.
 */
export class IgnoreRules {
  readonly #byDirectory = new Map<string, { readonly text: string; readonly rules: Ignore }>()

  /**
   * Takes the rules of one directory (`undefined`: it has none).
   * @returns whether they changed.
   */
  set(directory: string, text: string | undefined): boolean {
    if (this.#byDirectory.get(directory)?.text === text) return false
    if (text === undefined) this.#byDirectory.delete(directory)
    else this.#byDirectory.set(directory, { text, rules: ignore().add(text) })
    return true
  }

  /** @param path Relative to the bound directory. */
  isIgnored(path: string, isDirectory: boolean): boolean {
    if (isReserved(path)) return true
    if (this.#byDirectory.size === 0) return false
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      if (this.#matches(path.slice(0, slash), true)) return true
    }
    return this.#matches(path, isDirectory)
  }

  #matches(path: string, isDirectory: boolean): boolean {
    let ignored = false
    for (let at = 0; at !== -1; ) {
      const directory = at === 0 ? '' : path.slice(0, at)
      const own = this.#byDirectory.get(directory)
      if (own) {
        const relative = at === 0 ? path : path.slice(at + 1)
        const verdict = own.rules.test(isDirectory ? `${relative}/` : relative)
        if (verdict.ignored) ignored = true
        else if (verdict.unignored) ignored = false
      }
      at = path.indexOf('/', at + 1)
    }
    return ignored
  }
}

/** At any depth: a folder that is bound on its own may lie in this one, and its database is not to be shared. */
const isReserved = (path: string): boolean =>
  path.includes(RESERVED_NAME) && path.split('/').includes(RESERVED_NAME)
