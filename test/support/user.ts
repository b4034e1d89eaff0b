import {
  closeSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { brief, type Ledger, textsIn } from './ledger.js'

/** What one does to a folder, as often as its weight (a whole number) says. */
export interface Act {
  readonly name: string
  readonly weight: number
  readonly run: (user: User) => void | Promise<void>
}

export interface Habits {
  readonly acts: readonly Act[]
  /** How often a short text is repeated: most contents are small, some are of several chunks. */
  readonly repeats: (random: () => number) => number
}

/** Live, sync may take a path away, or put one there, between the choice and the act, as any user may. */
const OVERTAKEN = new Set(['ENOENT', 'ENOTDIR', 'ENOTEMPTY', 'EISDIR', 'EEXIST'])

/**
 * One user on one folder. What an act destroys is read from what was really taken away, so that a file
 * that sync put there a moment earlier counts as seen.
 */
export class User {
  /** What was done, with its time: for whoever looks into a failure. */
  readonly log: string[] = []
  readonly random: () => number
  readonly #grave: string
  #count = 0

  /** @param grave A directory beside the folder, on its volume, for what is on its way or gone for good. */
  constructor(
    readonly name: string,
    readonly folder: string,
    readonly ledger: Ledger,
    private readonly habits: Habits,
    { random, grave }: { readonly random: () => number; readonly grave: string },
  ) {
    this.random = random
    this.#grave = grave
    mkdirSync(grave)
  }

  /** Fills an empty folder: directories two deep, and files all over. */
  plant({ files, directories }: { readonly files: number; readonly directories: number }): void {
    for (let d = 0; d < directories; d++) {
      const path = d % 3 === 0 ? `d${d}` : `d${d - (d % 3)}/sub${d}`
      mkdirSync(join(this.folder, path), { recursive: true })
    }
    for (let i = 0; i < files; i++) this.write(this.freshPath(), this.newText())
  }

  /** Does something; what sync makes impossible meanwhile is left. */
  async act(): Promise<void> {
    const { acts } = this.habits
    const act = this.pick(acts.flatMap((each) => new Array<Act>(each.weight).fill(each)))!
    this.log.push(`${Date.now()} ${act.name}`)
    try {
      await act.run(this)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === undefined || !OVERTAKEN.has(code)) throw error
      this.note(code)
    }
  }

  /** More about the act under way. */
  note(text: string): void {
    this.log.push(`${this.log.pop()} ${text}`)
  }

  /** A content that nobody wrote before. */
  newText(): string {
    return `${this.name} ${this.#count++} `.repeat(this.habits.repeats(this.random))
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.random() * items.length)]
  }

  files(): string[] {
    return this.#paths().files
  }

  directories(): string[] {
    return this.#paths().directories
  }

  freshName(): string {
    return `${this.name}-${this.#count++}.txt`
  }

  /** A name of this user's own somewhere in the folder. */
  freshPath(): string {
    return join(this.anyDirectory(), this.freshName())
  }

  anyDirectory(): string {
    return this.pick(['', ...this.directories()])!
  }

  absolute(path: string): string {
    return join(this.folder, path)
  }

  /** A new file; refused when something is there. */
  write(path: string, text: string): void {
    writeFileSync(this.absolute(path), text, { flag: 'wx' })
    this.ledger.wrote(text)
    this.note(`${path} = ${brief(text)}`)
  }

  /** Renames within the folder, over a file that may stand there: that one is given up. */
  rename(from: string, to: string): void {
    this.#renameOver(this.absolute(from), this.absolute(to))
    this.note(`${from} -> ${to}`)
  }

  /** A new inode at the old name, as from an editor that saves safely. */
  replace(path: string, text: string): void {
    const temporary = this.#graveName()
    writeFileSync(temporary, text)
    this.#renameOver(temporary, this.absolute(path))
    this.ledger.wrote(text)
    this.note(`${path} = ${brief(text)}`)
  }

  /** Takes something out of the folder for good, and notes what it was. */
  bury(path: string): void {
    const grave = this.#graveName()
    renameSync(this.absolute(path), grave)
    for (const text of textsIn(grave)) this.ledger.gaveUp(text)
    this.note(`- ${path}`)
  }

  #graveName(): string {
    return join(this.#grave, `${this.#count++}`)
  }

  /** What is replaced is known by the descriptor that had it open, and read when no write can reach it. */
  #renameOver(from: string, to: string): void {
    const replaced = openIfFile(to)
    try {
      renameSync(from, to)
      if (replaced === undefined) return
      if (fstatSync(replaced).nlink === 0) this.ledger.gaveUp(readFileSync(replaced, 'utf8'))
      // Between the two calls another file came there: that one was replaced, and nobody has seen it.
      else this.ledger.gaveUpUnseen()
    } finally {
      if (replaced !== undefined) closeSync(replaced)
    }
  }

  #paths(): { files: string[]; directories: string[] } {
    const found = { files: [] as string[], directories: [] as string[] }
    const walk = (prefix: string): void => {
      for (const name of readdirSync(this.absolute(prefix)).sort()) {
        if (name === '.tidemark') continue
        const path = prefix === '' ? name : `${prefix}/${name}`
        const stat = lstatSync(this.absolute(path))
        if (stat.isDirectory()) {
          found.directories.push(path)
          walk(path)
        } else found.files.push(path)
      }
    }
    walk('')
    return found
  }
}

function openIfFile(path: string): number | undefined {
  try {
    return lstatSync(path).isFile() ? openSync(path, 'r') : undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
