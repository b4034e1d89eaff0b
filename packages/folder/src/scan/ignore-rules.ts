import { RESERVED_NAME } from '@tidemark/protocol'
import ignore, { type Ignore } from 'ignore'

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

/**
 * What a folder's owner does not want to share. Deeper files overrule higher ones, within a file the
 * last matching line decides, and what lies below an ignored directory cannot be brought back.
 */
export class IgnoreRules {
  readonly #byDirectory = new Map<string, DirectoryRules>()

  /**
   * Takes the rules of one directory (`undefined`: it has none).
   * @returns whether they changed.
   */
  set(directory: string, text: string | undefined): boolean {
    if (this.#byDirectory.get(directory)?.text === text) return false
    if (text === undefined) this.#byDirectory.delete(directory)
    else this.#byDirectory.set(directory, parse(text))
    return true
  }

  /** Lines of a directory's rules, from 1, that are no patterns: they hide nothing. */
  unusable(directory: string): readonly number[] {
    return this.#byDirectory.get(directory)?.unusable ?? []
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
        const verdict = own.patterns.test(isDirectory ? `${relative}/` : relative)
        if (verdict.ignored) ignored = true
        else if (verdict.unignored) ignored = false
      }
      at = path.indexOf('/', at + 1)
    }
    return ignored
  }
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
