import { RESERVED_NAME } from '@tidemark/protocol'
import ignore, { type Ignore } from 'ignore'
import { parentOf } from '../parent-of.js'

/** Rules in the syntax of gitignore, for the directory that holds the file and all below it. */
export const IGNORE_FILE = '.tidemarkignore'
/** A rules file beyond this is not read: it is no rules file. */
export const IGNORE_FILE_BYTES_MAX = 1024 * 1024

/**
 * A longer line is no pattern: no path is so long, and the engine of regular expressions gives up at some length.
 * Nor is one with more of `**` than this: each may stand for any part of a deep path, and all ways to choose are tried.
 */
const PATTERN_CHARS_MAX = 4_096
const DEEP_WILDCARDS_MAX = 2

/** The library remembers what it said of each path, in about 165 bytes, for as long as its object lives. */
const TESTS_REMEMBERED_MAX = 20_000

/** A directory of which something is known, and those in it. */
class KnownDirectory {
  readonly children = new Map<string, KnownDirectory>()
  rules: DirectoryRules | undefined
  /** Of the file that its rules were read from, see `rulesStamp`; `undefined`: it may be another one by now. */
  stamp: string | undefined
  /** Its rules are not those that what stands below it was last compared by. */
  isChanged = false
}

/**
 * What a folder's owner does not want to share. Deeper files overrule higher ones, within a file the
 * last matching line decides, and what lies below an ignored directory cannot be brought back. Directories are
 * named by their paths, relative to the bound one (`''`).
 */
export class IgnoreRules {
  #root = new KnownDirectory()

  /**
   * Takes the rules of one directory, as they were read (`undefined`: it has none).
   * @param stamp See `rulesStamp`.
   * @returns whether they are not those that were taken over last: it stays so until they are.
   */
  set(directory: string, text: string | undefined, stamp = NO_FILE): boolean {
    const known = this.#mustFind(directory)
    known.stamp = stamp
    if (known.rules?.text !== text) {
      known.rules = text === undefined ? undefined : parse(text)
      known.isChanged = true
    }
    return known.isChanged
  }

  /** All that stands below the directory was compared by its rules. */
  takenOver(directory: string): void {
    const known = this.#find(directory)
    if (known) known.isChanged = false
  }

  /** What its rules were read from, see `rulesStamp`; `undefined`: they are not known. */
  stampOf(directory: string): string | undefined {
    return this.#find(directory)?.stamp
  }

  /** The first directory on the way to this one of which the rules are not known. What is ignored has none. */
  unread(directory: string): string | undefined {
    let at: KnownDirectory | undefined = this.#root
    let path = ''
    for (const name of namesOf(directory)) {
      if (at?.stamp === undefined) break
      path = path === '' ? name : `${path}/${name}`
      at = at.children.get(name)
    }
    if (at?.stamp !== undefined) return undefined
    return path !== '' && this.isIgnored(path, true) ? undefined : path
  }

  /** It was made a moment ago, and nothing is in it. */
  made(directory: string): void {
    this.removed(directory)
    this.set(directory, undefined, NO_FILE)
  }

  /** It is gone, with all below, or another one stands there. */
  removed(directory: string): void {
    if (directory === '') this.#root = new KnownDirectory()
    else this.#find(parentOf(directory))?.children.delete(nameOf(directory))
  }

  /** It stands elsewhere, with all below, as it was. */
  moved(from: string, to: string): void {
    const known = this.#find(from)
    this.removed(from)
    this.removed(to)
    if (known) this.#mustFind(parentOf(to)).children.set(nameOf(to), known)
  }

  /** Its file of rules may be another one: what it says is known when it is read again. */
  touched(directory: string): void {
    const known = this.#find(directory)
    if (known) known.stamp = undefined
  }

  /** Lines of a directory's rules, from 1, that are no patterns: they hide nothing. */
  unusable(directory: string): readonly number[] {
    return this.#find(directory)?.rules?.unusable ?? []
  }

  /**
   * @param path Relative to the bound directory.
   * @param without Directories of which the rules do not count.
   */
  isIgnored(path: string, isDirectory: boolean, without: ReadonlySet<string> = NONE): boolean {
    if (isReserved(path)) return true
    const above = this.#rulesAbove(path, without)
    if (above.length === 0) return false
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      if (matches(path.slice(0, slash), true, above)) return true
    }
    return matches(path, isDirectory, above)
  }

  /** From the bound directory down. */
  #rulesAbove(path: string, without: ReadonlySet<string>): readonly RulesAt[] {
    const above: RulesAt[] = []
    let known: KnownDirectory | undefined = this.#root
    for (let from = 0; known; ) {
      const counts = without.size === 0 || !without.has(path.slice(0, Math.max(0, from - 1)))
      if (known.rules && counts) above.push({ rules: known.rules, from })
      const slash = path.indexOf('/', from)
      if (slash === -1) break
      known = known.children.get(path.slice(from, slash))
      from = slash + 1
    }
    return above
  }

  #find(directory: string): KnownDirectory | undefined {
    let at: KnownDirectory | undefined = this.#root
    for (const name of namesOf(directory)) at = at?.children.get(name)
    return at
  }

  #mustFind(directory: string): KnownDirectory {
    let at = this.#root
    for (const name of namesOf(directory)) {
      const child = at.children.get(name) ?? new KnownDirectory()
      at.children.set(name, child)
      at = child
    }
    return at
  }
}

const NONE: ReadonlySet<string> = new Set()

/** The stamp where there are no rules. */
const NO_FILE = ''

const namesOf = (directory: string): readonly string[] => (directory === '' ? [] : directory.split('/'))
const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

interface RulesAt {
  readonly rules: DirectoryRules
  /** Where the part of a path begins that is relative to their directory. */
  readonly from: number
}

function matches(path: string, isDirectory: boolean, above: readonly RulesAt[]): boolean {
  let ignored = false
  for (const { rules, from } of above) {
    if (from >= path.length) break
    const relative = path.slice(from)
    const verdict = rules.patterns.test(isDirectory ? `${relative}/` : relative)
    if (verdict.ignored) ignored = true
    else if (verdict.unignored) ignored = false
  }
  return ignored
}

/** Patterns of one file. */
class Patterns {
  #parsed: Ignore
  #tests = 0

  constructor(private readonly lines: readonly string[]) {
    this.#parsed = parsePatterns(lines)
  }

  test(path: string): { readonly ignored: boolean; readonly unignored: boolean } {
    if (++this.#tests > TESTS_REMEMBERED_MAX) {
      this.#parsed = parsePatterns(this.lines)
      this.#tests = 1
    }
    return this.#parsed.test(path)
  }
}

/** Names that differ by case are different files, on any disk: all folders hide the same. */
const parsePatterns = (lines: readonly string[]): Ignore => ignore({ ignorecase: false }).add(lines)

interface DirectoryRules {
  readonly text: string
  readonly patterns: Patterns
  readonly unusable: readonly number[]
}

function parse(text: string): DirectoryRules {
  const lines = text.split(/\r?\n/)
  const unusable = lines.flatMap((line, i) => (isPattern(line) ? [] : [i + 1]))
  return { text, patterns: new Patterns(lines.filter(isPattern)), unusable }
}

const isPattern = (line: string): boolean =>
  line.length <= PATTERN_CHARS_MAX && line.split('**').length - 1 <= DEEP_WILDCARDS_MAX

/** At any depth: a folder that is bound on its own may lie in this one, and its database is not to be shared. */
const isReserved = (path: string): boolean =>
  path.includes(RESERVED_NAME) && path.split('/').includes(RESERVED_NAME)
