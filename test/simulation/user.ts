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
    return `create ${path} "${text}"`
  }

  #edit(): string {
    const path = this.#file()
    const text = this.#text()
    const before = this.#read(path)
    this.device.disk.overwrite(`${ROOT}/${path}`, Buffer.from(text))
    this.#makeDurable(path)
    this.ledger.givenUp.add(before)
    this.ledger.written.add(text)
    return `edit ${path} "${before}" -> "${text}"`
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
    return `save ${path} "${before}" -> "${text}"`
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
    return `remove ${path} "${before}"`
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
      if (below.startsWith(`${path}/`) && text !== '/') this.ledger.givenUp.add(text)
    }
    // Away in one step, as by a file manager.
    this.device.disk.rename(`${ROOT}/${path}`, `/bin-${this.device.name}-${this.#count++}`)
    return `remove directory ${path}`
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

  #text(): string {
    return `${this.device.name} ${this.#count++}`
  }

  #file(): string {
    const files = Object.entries(this.device.tree()).filter(([, text]) => text !== '/')
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
