import type { Device } from './device.js'
import { ROOT } from './device.js'
import type { SimRandom } from './random.js'

/** What was ever written, and what somebody took away knowingly. */
export class Ledger {
  readonly written = new Set<string>()
  readonly givenUp = new Set<string>()
}

const NAMES = ['a', 'b', 'c', 'd', 'A', 'x.txt', 'y.txt']
/** Refusals that a person shrugs at: something else stands there by now. */
const REFUSED = new Set(['ENOENT', 'ENOTDIR', 'ENOTEMPTY', 'EISDIR', 'EEXIST', 'EINVAL'])

/** For the log. */
export const brief = (text: string): string => `"${text.slice(0, 12).trim()}"`

/** A person at a device, who sees what is on the disk at that moment. */
export class User {
  #count = 0

  constructor(
    private readonly device: Device,
    private readonly random: SimRandom,
    private readonly ledger: Ledger,
  ) {}

  /** @returns what was done. */
  act(): string {
    const acts = [
      this.#create,
      this.#create,
      this.#create,
      this.#edit,
      this.#edit,
      this.#edit,
      this.#save,
      this.#rename,
      this.#rename,
      this.#remove,
      this.#makeDirectory,
      this.#moveDirectory,
      this.#removeDirectory,
      this.#swap,
      this.#saveBeside,
      this.#changeCase,
      this.#directoryForFile,
      this.#symlink,
      this.#chmod,
      this.#renameOver,
    ]
    const act = this.random.pick(acts)!
    try {
      return act.call(this)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === undefined || !REFUSED.has(code)) throw error
      return `${act.name} refused: ${(error as Error).message}`
    }
  }

  #create(): string {
    const path = this.#fresh()
    const text = this.#text()
    this.device.disk.writeNew(`${ROOT}/${path}`, Buffer.from(text), { mode: 0o644 })
    this.#makeDurable(path)
    this.ledger.written.add(text)
    return `create ${path} ${brief(text)}`
  }

  #edit(): string {
    const path = this.#file()
    const text = this.#text()
    const before = this.#read(path)
    this.device.disk.overwrite(`${ROOT}/${path}`, Buffer.from(text))
    this.#makeDurable(path)
    this.ledger.givenUp.add(before)
    this.ledger.written.add(text)
    return `edit ${path} ${brief(before)} -> ${brief(text)}`
  }

  /** As editors do: another inode takes the name. */
  #save(): string {
    const path = this.#file()
    const text = this.#text()
    const draft = `/draft-${this.device.name}-${this.#count++}`
    const before = this.#read(path)
    this.device.disk.writeNew(draft, Buffer.from(text), { mode: 0o644 })
    this.device.disk.fsync(draft)
    this.device.disk.rename(draft, `${ROOT}/${path}`)
    this.#makeDurable(path)
    this.ledger.givenUp.add(before)
    this.ledger.written.add(text)
    return `save ${path} ${brief(before)} -> ${brief(text)}`
  }

  #rename(): string {
    const [from, to] = [this.#file(), this.#fresh()]
    this.#move(from, to)
    return `rename ${from} ${to}`
  }

  #remove(): string {
    const path = this.#file()
    const before = this.#read(path)
    this.device.disk.unlink(`${ROOT}/${path}`)
    this.ledger.givenUp.add(before)
    return `remove ${path} ${brief(before)}`
  }

  #makeDirectory(): string {
    const path = this.#fresh()
    this.device.disk.mkdir(`${ROOT}/${path}`)
    return `mkdir ${path}`
  }

  #moveDirectory(): string {
    const [from, to] = [this.#directory(), this.#fresh()]
    this.#move(from, to)
    return `move directory ${from} ${to}`
  }

  #removeDirectory(): string {
    const path = this.#directory()
    for (const [below, text] of Object.entries(this.device.tree())) {
      if (below.startsWith(`${path}/`)) this.ledger.givenUp.add(text)
    }
    // Away in one step, as by a file manager.
    this.device.disk.rename(`${ROOT}/${path}`, `/bin-${this.device.name}-${this.#count++}`)
    return `remove directory ${path}`
  }

  /** As other editors do: the old file gets another name, a new one the old name. */
  #saveBeside(): string {
    const { disk } = this.device
    const path = this.#file()
    const before = this.#read(path)
    const text = this.#text()
    disk.rename(`${ROOT}/${path}`, `${ROOT}/${path}~`)
    disk.writeNew(`${ROOT}/${path}`, Buffer.from(text), { mode: 0o644 })
    this.#makeDurable(path)
    disk.unlink(`${ROOT}/${path}~`)
    this.ledger.givenUp.add(before)
    this.ledger.written.add(text)
    return `save beside ${path} ${brief(before)} -> ${brief(text)}`
  }

  #changeCase(): string {
    const path = this.random.chance(2) ? this.#file() : this.#directory()
    const slash = path.lastIndexOf('/') + 1
    const name = path.slice(slash)
    const other = name === name.toUpperCase() ? name.toLowerCase() : name.toUpperCase()
    this.#move(path, path.slice(0, slash) + other)
    return `case ${path}`
  }

  /** The file goes into a directory that has its name. */
  #directoryForFile(): string {
    const { disk } = this.device
    const path = this.#file()
    const between = `/between-${this.device.name}-${this.#count++}`
    disk.rename(`${ROOT}/${path}`, between)
    disk.mkdir(`${ROOT}/${path}`)
    disk.rename(between, `${ROOT}/${path}/inside`)
    this.#makeDurable(`${path}/inside`)
    return `directory for file ${path}`
  }

  #symlink(): string {
    const path = this.#fresh()
    this.device.disk.symlink(this.random.pick(NAMES)!, `${ROOT}/${path}`)
    return `symlink ${path}`
  }

  #chmod(): string {
    const path = this.#file()
    this.device.disk.chmod(`${ROOT}/${path}`, this.random.chance(2) ? 0o755 : 0o644)
    return `chmod ${path}`
  }

  #renameOver(): string {
    const [from, to] = [this.#file(), this.#file()]
    if (from === to) return 'nothing'
    const before = this.#read(to)
    this.device.disk.rename(`${ROOT}/${from}`, `${ROOT}/${to}`)
    this.ledger.givenUp.add(before)
    return `rename ${from} over ${to} ${brief(before)}`
  }

  #swap(): string {
    const [a, b] = [this.#file(), this.#file()]
    if (a === b) return 'nothing'
    const between = `${ROOT}/${this.device.name}-between-${this.#count++}`
    this.device.disk.rename(`${ROOT}/${a}`, between)
    this.device.disk.rename(`${ROOT}/${b}`, `${ROOT}/${a}`)
    this.device.disk.rename(between, `${ROOT}/${b}`)
    return `swap ${a} ${b}`
  }

  #move(from: string, to: string): void {
    const { disk } = this.device
    if (disk.lstat(`${ROOT}/${to}`)) throw Object.assign(new Error('taken'), { code: 'EEXIST' })
    disk.rename(`${ROOT}/${from}`, `${ROOT}/${to}`)
  }

  #read(path: string): string {
    return Buffer.from(this.device.disk.readFile(`${ROOT}/${path}`)).toString()
  }

  /** Good editors do that; nobody does it after a rename. */
  #makeDurable(path: string): void {
    const absolute = `${ROOT}/${path}`
    this.device.disk.fsync(absolute)
    this.device.disk.fsync(absolute.slice(0, absolute.lastIndexOf('/')))
  }

  /** Short, mostly; some go in packs, some have a manifest. */
  #text(): string {
    const dice = this.random.below(100)
    const length = dice < 90 ? 0 : dice < 97 ? 70_000 : 400_000
    return `${this.device.name} ${this.#count++} ${'.'.repeat(length)}`
  }

  #file(): string {
    const files = Object.entries(this.device.tree()).filter(
      ([, text]) => text !== '/' && !text.startsWith('→'),
    )
    const file = this.random.pick(files)
    if (!file) throw Object.assign(new Error('no file'), { code: 'ENOENT' })
    return file[0]
  }

  #directory(): string {
    const directories = Object.entries(this.device.tree()).filter(([, text]) => text === '/')
    const directory = this.random.pick(directories)
    if (!directory) throw Object.assign(new Error('no directory'), { code: 'ENOENT' })
    return directory[0]
  }

  #fresh(): string {
    const name = this.random.pick(NAMES)!
    const tree = Object.entries(this.device.tree()).filter(([, text]) => text === '/')
    const directory = this.random.chance(2) ? this.random.pick(tree)?.[0] : undefined
    return directory === undefined ? name : `${directory}/${name}`
  }
}
