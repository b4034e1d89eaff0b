import { type FolderDevice, ROOT } from './folder-device.js'
import type { Ledger } from './ledger.js'
import { isPrivate, PRIVATE_SUFFIX, RULES_FILE } from './shown.js'

/** What stands in every file of rules: all of them say the same. */
const RULES = `*${PRIVATE_SUFFIX}\n`

/** What one person keeps in a folder and shares with nobody. */
export class PrivateFiles {
  /** Written here, and never taken away. */
  readonly #texts = new Set<string>()

  constructor(
    private readonly device: FolderDevice,
    private readonly ledger: Ledger,
  ) {}

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
    return gone
  }

  #write(path: string, text: string): void {
    const { disk } = this.device
    disk.writeNew(path, Buffer.from(text), { mode: 0o644 })
    disk.fsync(path)
    disk.fsync(path.slice(0, path.lastIndexOf('/')))
  }
}
