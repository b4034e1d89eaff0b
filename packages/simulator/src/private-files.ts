import { type FolderDevice, ROOT } from './folder-device.js'
import type { Ledger } from './ledger.js'
import { isPrivate, PRIVATE_SUFFIX, RULES_FILE } from './shown.js'

/** What stands in every file of rules: all of them say the same. */
const RULES = `*${PRIVATE_SUFFIX}\n`

/** What one person keeps in a folder and shares with nobody. */
export class PrivateFiles {
  /** Written here, and never taken away. */
  readonly #texts = new Set<string>()
  readonly #secrets = new Set<string>()

  constructor(
    private readonly device: FolderDevice,
    private readonly ledger: Ledger,
  ) {}

  /** Texts that rules hide on its disk: nobody else may be told of them. */
  get secrets(): ReadonlySet<string> {
    return this.#secrets
  }

  /**
   * A person does something here, or the power goes: what no rule hides any more because of that may be told.
   *
   * @param hidden Before that.
   */
  uncovered(hidden: ReadonlySet<string>): void {
    if (hidden.size === 0) return
    const now = this.hidden()
    for (const text of hidden) if (!now.has(text)) this.#secrets.delete(text)
  }

  /** Texts of files that rules hide as they stand on the disk now. */
  hidden(): ReadonlySet<string> {
    if (this.#secrets.size === 0) return new Set()
    return new Set(
      this.#ruled()
        .filter(({ isHidden }) => isHidden)
        .map(({ text }) => text),
    )
  }

  get isEmpty(): boolean {
    return this.#texts.size === 0
  }

  /** The directory and all below it have rules from now on. @throws a system error. */
  addRules(directory: string): string {
    const path = `${directory}/${RULES_FILE}`
    if (this.device.disk.lstat(path)) return 'nothing'
    this.ledger.known.add(RULES)
    // Every file of rules is like every other one: who deletes one gives up none of the others.
    this.ledger.moved(RULES)
    this.#write(path, RULES)
    return 'done'
  }

  /** @param text Nobody else has it. @throws a system error. */
  add(directory: string, text: string): string {
    const path = `${directory}/p${PRIVATE_SUFFIX}`
    const { disk } = this.device
    if (disk.lstat(path)) return 'nothing'
    // Where there are no rules it is a file like others, and then it is everybody's.
    const hasRules = [ROOT, directory].some((each) => disk.lstat(`${each}/${RULES_FILE}`))
    if (!hasRules) return 'refused: no rules'
    this.#write(path, text)
    this.ledger.wrote(text)
    this.#texts.add(text)
    // What stands there as rules may be anything.
    if (this.#ruled().some((each) => each.text === text && each.isHidden)) this.#secrets.add(text)
    return 'done'
  }

  /**
   * Its owner needs none of it any more.
   *
   * @returns what was gone before, from everywhere but the program's own places, and its owner had not changed.
   */
  throwAway(): readonly string[] {
    const { disk } = this.device
    const outside = this.device.texts()
    const gone = [...this.#texts].filter((text) => !outside.has(text) && !this.ledger.givenUp.has(text))
    const all = [...disk.below(ROOT, (path) => path === '.tidemark')].filter(({ path }) => isPrivate(path))
    // What is in a directory before the directory.
    for (const { path, kind, data } of all.sort((a, b) => b.path.length - a.path.length)) {
      if (kind === 'dir') disk.rmdir(`${ROOT}/${path}`)
      else disk.unlink(`${ROOT}/${path}`)
      if (kind !== 'file') continue
      const text = Buffer.from(data).toString()
      // It may be one that others were told of, before there were rules, and moved.
      this.ledger.moved(text)
      this.ledger.gaveUp(text)
    }
    for (const text of this.#texts) this.ledger.gaveUp(text)
    this.#texts.clear()
    this.#secrets.clear()
    return gone
  }

  /** Private files by their names, with what the rules on the disk say of them. */
  #ruled(): readonly { readonly text: string; readonly isHidden: boolean }[] {
    const files: { readonly path: string; readonly text: string }[] = []
    const ruled = new Set<string>()
    for (const { path, kind, data } of this.device.disk.below(ROOT, (each) => each === '.tidemark')) {
      if (kind !== 'file') continue
      const text = Buffer.from(data).toString()
      if (isPrivate(path)) files.push({ path, text })
      else if (text === RULES && path.endsWith(RULES_FILE)) ruled.add(path.slice(0, -RULES_FILE.length))
    }
    return files.map(({ path, text }) => ({ text, isHidden: isHidden(path, ruled) }))
  }

  #write(path: string, text: string): void {
    const { disk } = this.device
    disk.writeNew(path, Buffer.from(text), { mode: 0o644 })
    disk.fsync(path)
    disk.fsync(path.slice(0, path.lastIndexOf('/')))
  }
}

/** @param ruled Directories with rules, each with a slash behind it; `''` is the folder. */
function isHidden(path: string, ruled: ReadonlySet<string>): boolean {
  let directory = ''
  let hasRules = false
  for (const name of path.split('/')) {
    hasRules ||= ruled.has(directory)
    // As the rules say it: upper and lower case are told apart.
    if (hasRules && name.endsWith(PRIVATE_SUFFIX)) return true
    directory += `${name}/`
  }
  return false
}
