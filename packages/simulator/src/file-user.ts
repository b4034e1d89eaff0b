import { type FolderDevice, ROOT } from './folder-device.js'
import { brief, type Ledger } from './ledger.js'
import { fromScriptPath, isTagged } from './names.js'
import { placesUnderWay } from './places-under-way.js'
import { PrivateFiles } from './private-files.js'
import { contentKey, isFile } from './shown.js'

/** Refusals that a person shrugs at: something else stands there by now. */
const REFUSED = new Set([
  'ENOENT',
  'ENOTDIR',
  'ENOTEMPTY',
  'EISDIR',
  'EEXIST',
  'EINVAL',
  'EPERM',
  'ELOOP',
  'ENAMETOOLONG',
])
/** Verbs that need no room on the disk. */
const SHRINKS = new Set(['remove', 'rmdir', 'rename', 'case', 'truncate', 'chmod'])

/** Names the folder itself, where a verb takes a directory. */
export const TOP = '.'

const refusal = (code: string, message: string): Error => Object.assign(new Error(message), { code })

type Verb = (path: string, second: string | undefined) => string

/** A person at a device with a folder, who sees what is on the disk at that moment. */
export class FileUser {
  #count = 0
  #hasActed = false
  readonly privateFiles: PrivateFiles
  readonly #verbs: Readonly<Record<string, Verb>>

  constructor(
    private readonly device: FolderDevice,
    private readonly ledger: Ledger,
  ) {
    this.#verbs = {
      create: (path, size) => this.#create(path, size),
      edit: (path, size) => this.#edit(path, size),
      save: (path, size) => this.#save(path, size),
      savebeside: (path, size) => this.#saveBeside(path, size),
      append: (path, size) => this.#append(path, size),
      truncate: (path) => this.#truncate(path),
      touch: (path) => this.#touch(path),
      age: (path, mtimeMs) => this.#age(path, mtimeMs),
      chmod: (path, mode) => this.#chmod(path, mode),
      link: (path, to) => this.#link(path, to),
      symlink: (path, target) => this.#symlink(path, target),
      relink: (path, target) => this.#relink(path, target),
      mkdir: (path) => this.#makeDirectory(path),
      tree: (path) => this.#makeTree(path),
      rename: (path, to) => this.#rename(path, to),
      replace: (path, over) => this.#renameOver(path, over),
      swap: (path, other) => this.#swap(path, other),
      case: (path) => this.#changeCase(path),
      wrap: (path) => this.#directoryForFile(path),
      remove: (path) => this.#remove(path),
      rmdir: (path) => this.#removeDirectory(path),
      ignore: (path) => this.privateFiles.addRules(this.#directory(path)),
      mine: (path) => this.privateFiles.add(this.#directory(path), this.#text(undefined)),
    }
    this.privateFiles = new PrivateFiles(device, ledger)
  }

  knows(verb: string): boolean {
    return this.#verbs[verb] !== undefined
  }

  /** Somebody did something here, or tried to. */
  get hasActed(): boolean {
    return this.#hasActed
  }

  /**
   * @param args Paths as scripts name them, then what the verb needs besides.
   * @returns what came of it.
   */
  act(verb: string, [first = '', second]: readonly string[]): string {
    const hidden = this.privateFiles.hidden()
    try {
      if (this.device.troubles.isFull && !SHRINKS.has(verb)) throw refusal('EINVAL', 'the disk is full')
      this.#hasActed = true
      for (const text of this.#textsInDoubt()) this.ledger.doubt(text)
      const path = first === TOP ? TOP : this.#real(first)
      return this.#verbs[verb]!(path, second)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === undefined || !REFUSED.has(code)) throw error
      return `refused: ${(error as Error).message}`
    } finally {
      this.privateFiles.uncovered(hidden)
    }
  }

  /** What the program put in place, and has not noted: if it dies before it does, or its disk fails, it never knows. */
  #textsInDoubt(): string[] {
    const places = placesUnderWay(this.device.storage)
    if (places.length === 0) return []
    const tree = this.device.tree()
    return places.flatMap(({ path, key }) => {
      const text = tree[path]
      return text !== undefined && isFile(text) && contentKey(text) === key ? text : []
    })
  }

  namesIn = (directory: string): string[] => {
    const path = directory === '' ? ROOT : `${ROOT}/${directory}`
    if (this.device.disk.lstat(path)?.kind !== 'dir') return []
    return this.device.disk.readdir(path).map(String)
  }

  /** Absolute. */
  #directory(path: string): string {
    return path === TOP ? ROOT : `${ROOT}/${path}`
  }

  #create(path: string, size: string | undefined): string {
    const text = this.#text(size)
    this.device.disk.writeNew(`${ROOT}/${path}`, Buffer.from(text), { mode: 0o644 })
    this.#makeDurable(path)
    this.ledger.wrote(text)
    return brief(text)
  }

  /** What had been given up is somewhere after all: a copy of it is put into the folder. */
  putBack(text: string): void {
    const path = `back ${contentKey(text).slice(0, 8)}`
    this.#hasActed = true
    this.device.disk.writeNew(`${ROOT}/${path}`, Buffer.from(text), { mode: 0o644 })
    this.#makeDurable(path)
    this.ledger.moved(text)
  }

  #edit(path: string, size: string | undefined): string {
    return this.#overwrite(path, this.#text(size))
  }

  #append(path: string, size: string | undefined): string {
    return this.#overwrite(path, `${this.#read(path)}\n${this.#text(size)}`)
  }

  /** The head of each text names it: what is left is nobody else's. */
  #truncate(path: string): string {
    const before = this.#read(path)
    const head = before.indexOf('|') + 1
    const rest = before.length - head
    return this.#overwrite(path, rest < 2 ? '' : before.slice(0, head + Math.floor(rest / 2)))
  }

  #overwrite(path: string, text: string): string {
    const before = this.#read(path)
    this.device.disk.overwrite(`${ROOT}/${path}`, Buffer.from(text))
    // It is at its other names, too.
    if (this.device.disk.lstat(`${ROOT}/${path}`)!.nlink > 1) this.ledger.moved(text)
    this.#makeDurable(path)
    return this.#became(before, text)
  }

  /** As editors do: another inode takes the name. */
  #save(path: string, size: string | undefined): string {
    const text = this.#text(size)
    const draft = this.#outside('draft')
    const before = this.#read(path)
    this.device.disk.writeNew(draft, Buffer.from(text), { mode: 0o644 })
    this.device.disk.fsync(draft)
    this.device.disk.rename(draft, `${ROOT}/${path}`)
    this.#makeDurable(path)
    return this.#became(before, text)
  }

  /** As other editors do: the old file gets another name, a new one the old name. */
  #saveBeside(path: string, size: string | undefined): string {
    const { disk } = this.device
    const before = this.#read(path)
    const text = this.#text(size)
    if (disk.lstat(`${ROOT}/${path}~`)?.kind === 'file') this.ledger.gaveUp(this.#read(`${path}~`))
    disk.rename(`${ROOT}/${path}`, `${ROOT}/${path}~`)
    disk.writeNew(`${ROOT}/${path}`, Buffer.from(text), { mode: 0o644 })
    this.#makeDurable(path)
    disk.unlink(`${ROOT}/${path}~`)
    return this.#became(before, text)
  }

  #touch(path: string): string {
    this.device.disk.setMtime(`${ROOT}/${path}`, this.device.nowMs)
    return 'done'
  }

  /** As an archive is unpacked: the bytes stay, and the stamp is of any time. */
  #age(path: string, mtimeMs = '-1'): string {
    const text = this.#text(undefined)
    const said = this.#overwrite(path, text)
    this.device.disk.setMtime(`${ROOT}/${path}`, Number(mtimeMs))
    return said
  }

  #chmod(path: string, mode = '755'): string {
    const text = this.#read(path)
    // A copy becomes a file of its own.
    if (isTagged(path)) this.ledger.moved(text)
    this.device.disk.chmod(`${ROOT}/${path}`, Number.parseInt(mode, 8))
    return 'done'
  }

  #link(path: string, to: string | undefined): string {
    this.ledger.moved(this.#read(path))
    this.device.disk.link(`${ROOT}/${path}`, `${ROOT}/${this.#real(to)}`)
    return 'done'
  }

  #symlink(path: string, target = 'a'): string {
    this.device.disk.symlink(target, `${ROOT}/${path}`)
    return 'done'
  }

  /** As `ln -sfn`: another symlink takes the name. */
  #relink(path: string, target = 'a'): string {
    const { disk } = this.device
    if (disk.lstat(`${ROOT}/${path}`)?.kind !== 'symlink') throw refusal('EINVAL', `no symlink ${path}`)
    const draft = this.#outside('draft')
    disk.symlink(target, draft)
    disk.rename(draft, `${ROOT}/${path}`)
    return 'done'
  }

  #makeDirectory(path: string): string {
    this.device.disk.mkdir(`${ROOT}/${path}`)
    return 'done'
  }

  #makeTree(path: string): string {
    const { disk } = this.device
    for (const directory of [path, `${path}/a`, `${path}/a/b`]) disk.mkdir(`${ROOT}/${directory}`)
    const files = ['x.txt', 'a/x.txt', 'a/b/y.txt']
    return files.map((file) => this.#create(`${path}/${file}`, undefined)).join(', ')
  }

  #rename(path: string, to: string | undefined): string {
    const target = `${ROOT}/${this.#real(to)}`
    if (this.device.disk.lstat(target)) throw refusal('EEXIST', 'taken')
    this.#noteMoved(path)
    this.device.disk.rename(`${ROOT}/${path}`, target)
    return 'done'
  }

  #renameOver(path: string, over: string | undefined): string {
    const target = this.#real(over)
    if (path === target) return 'nothing'
    const before = this.#read(target)
    this.ledger.moved(this.#read(path))
    this.device.disk.rename(`${ROOT}/${path}`, `${ROOT}/${target}`)
    this.ledger.gaveUp(before)
    return `${brief(before)} is gone`
  }

  #swap(path: string, second: string | undefined): string {
    const { disk } = this.device
    const other = this.#real(second)
    for (const each of [path, other]) this.ledger.moved(this.#read(each))
    if (path === other) return 'nothing'
    const between = this.#outside('between')
    disk.rename(`${ROOT}/${path}`, between)
    disk.rename(`${ROOT}/${other}`, `${ROOT}/${path}`)
    disk.rename(between, `${ROOT}/${other}`)
    return 'done'
  }

  #changeCase(path: string): string {
    const slash = path.lastIndexOf('/') + 1
    const name = path.slice(slash)
    const other = name === name.toUpperCase() ? name.toLowerCase() : name.toUpperCase()
    return this.#rename(path, path.slice(0, slash) + other)
  }

  /** The file goes into a directory that has its name. */
  #directoryForFile(path: string): string {
    const { disk } = this.device
    this.ledger.moved(this.#read(path))
    const between = this.#outside('between')
    disk.rename(`${ROOT}/${path}`, between)
    disk.mkdir(`${ROOT}/${path}`)
    disk.rename(between, `${ROOT}/${path}/inside`)
    this.#makeDurable(`${path}/inside`)
    return 'done'
  }

  #remove(path: string): string {
    const { disk } = this.device
    const isLink = disk.lstat(`${ROOT}/${path}`)?.kind === 'symlink'
    const before = isLink ? '' : this.#read(path)
    disk.unlink(`${ROOT}/${path}`)
    this.ledger.gaveUp(before)
    return `${brief(before)} is gone`
  }

  #removeDirectory(path: string): string {
    const { disk } = this.device
    if (disk.lstat(`${ROOT}/${path}`)?.kind !== 'dir') throw refusal('ENOTDIR', path)
    for (const [below, text] of Object.entries(this.device.tree())) {
      if (below.startsWith(`${path}/`) && isFile(text)) this.ledger.gaveUp(text)
    }
    // Away in one step, as by a file manager.
    disk.rename(`${ROOT}/${path}`, this.#outside('bin'))
    return 'done'
  }

  /** It, or all that is in it. */
  #noteMoved(path: string): void {
    for (const [each, text] of Object.entries(this.device.tree())) {
      if (each === path || each.startsWith(`${path}/`)) this.ledger.moved(text)
    }
  }

  #became(before: string, text: string): string {
    this.ledger.gaveUp(before)
    this.ledger.wrote(text)
    return `${brief(before)} -> ${brief(text)}`
  }

  /** @throws a system error: no file is there, or nobody may enter its directory. */
  #read(path: string): string {
    return Buffer.from(this.device.disk.readFile(`${ROOT}/${path}`)).toString()
  }

  /** Good editors do that; nobody does it after a rename. */
  #makeDurable(path: string): void {
    const absolute = `${ROOT}/${path}`
    this.device.disk.fsync(absolute)
    this.device.disk.fsync(absolute.slice(0, absolute.lastIndexOf('/')))
  }

  /** A place on the same disk that the folder does not see. */
  #outside(what: string): string {
    return `/${what}-${this.device.name}-${this.#count++}`
  }

  #text(size = '0'): string {
    return this.ledger.text(this.device.name, Number(size))
  }

  /** @throws a system error: there are not that many copies, or nobody may go there. */
  #real(path: string | undefined): string {
    const real = path === undefined ? undefined : fromScriptPath(path, this.namesIn)
    if (real === undefined || real === '') throw refusal('ENOENT', `no ${path}`)
    if (this.device.troubles.isDenied(`${ROOT}/${real}`)) throw refusal('EPERM', `nobody may go to ${real}`)
    return real
  }
}
