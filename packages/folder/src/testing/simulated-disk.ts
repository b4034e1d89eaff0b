import type { FileKind, FileStat, FileSystem, OpenFile } from '../ports/file-system.js'
import { Inode, systemError } from './inode.js'
import { MetadataJournal } from './metadata-journal.js'
import { isInside, Paths } from './paths.js'

/** A power cut tears files at multiples of this. */
const PAGE_BYTES = 4096
const NS_PER_MS = 1_000_000n

export interface SimulatedDiskOptions {
  readonly clock: { nowMs(): number }
  /** Stamps are multiples of this, nanoseconds: 1, or as coarse as a file system has it. @default 1 */
  readonly stampNs?: number
  /** Whether the number of a thing that is gone is given to the next new one, as ext4 does. @default true */
  readonly reusesInodes?: boolean
  /** Bytes of all files together. @default no bound */
  readonly volumeBytes?: number
}

/** As `below` shows it. */
export interface SeenThing {
  /** From the directory that was asked for. */
  readonly path: string
  readonly kind: FileKind
  /** Of a file; else empty. */
  readonly data: Uint8Array
  /** Of a symlink; else empty. */
  readonly target: string
}

/** What a power cut decides by. */
export interface CutRandom {
  /** A whole number from 0 to `below` - 1. */
  below(below: number): number
}

/** Of all who create something. */
const UMASK = 0o022

/**
 * A disk in memory with the semantics of POSIX, as far as a bound folder can tell: inodes, hard links,
 * symlinks in the middle of a path, renames that replace, things that live on while they are open. What
 * nobody made durable may be lost or torn by a power cut: see `powerCut`.
 */
export class SimulatedDisk implements FileSystem {
  readonly #options: Required<Omit<SimulatedDiskOptions, 'volumeBytes'>> & { readonly volumeBytes: number }
  readonly #journal = new MetadataJournal()
  readonly #root: Inode
  readonly #paths: Paths
  /** Numbers of things that are gone, to be given again. */
  readonly #freeNumbers: number[] = []
  #nextNumber = 2
  #boots = 0
  #stamps = 0
  /** Files whose bytes are not durable. */
  readonly #unsynced = new Set<Inode>()
  /** Handles of programs that ended are dead. */
  #life = 0
  readonly #watchers = new Map<string, Set<() => void>>()
  #changes = 0
  #used = { bytes: 0, changes: -1 }

  constructor(options: SimulatedDiskOptions) {
    this.#options = {
      clock: options.clock,
      stampNs: options.stampNs ?? 1,
      reusesInodes: options.reusesInodes ?? true,
      volumeBytes: options.volumeBytes ?? Number.MAX_SAFE_INTEGER,
    }
    this.#root = new Inode(1, 'dir', 0o755, this.#now())
    this.#root.nlink = 2
    this.#paths = new Paths(this.#root)
  }

  /** Grows with each change of a name, or of what a name names: no more than that, and no less. */
  get changes(): number {
    return this.#changes
  }

  lstat(path: string): FileStat | undefined {
    const inode = this.#paths.find(path)
    return inode?.stat()
  }

  readdir(path: string): Uint8Array[] {
    return [...this.#paths.mustDirectory(path, 'scandir').children.keys()].map((name) => Buffer.from(name))
  }

  /**
   * Everything below a directory, names in order, each directory before what is in it. For those who look
   * often: bytes are no copies, and nobody may change them; equal arrays are equal bytes.
   *
   * @param isPassedOver Whether a thing is left out, with all below; by its path from `directory`.
   */
  *below(directory: string, isPassedOver: (path: string) => boolean = () => false): Iterable<SeenThing> {
    yield* seen(this.#paths.mustDirectory(directory, 'scandir'), '', isPassedOver)
  }

  readlink(path: string): Uint8Array {
    const inode = this.#paths.must(path, 'readlink')
    if (inode.kind !== 'symlink') throw systemError('EINVAL', 'readlink', path)
    return Buffer.from(inode.target)
  }

  readFile(path: string): Uint8Array {
    return this.#paths.mustFile(path, 'open').data.slice()
  }

  mkdir(path: string, mode = 0o777): void {
    this.#create(path, 'mkdir', 'dir', mode & ~UMASK)
  }

  rmdir(path: string): void {
    const { parent, name } = this.#paths.place(path, 'rmdir')
    const inode = this.#paths.child(parent, name, 'rmdir', path)
    if (inode.kind !== 'dir') throw systemError('ENOTDIR', 'rmdir', path)
    if (inode.children.size > 0) throw systemError('ENOTEMPTY', 'rmdir', path)
    this.#remove(parent, name)
  }

  rename(from: string, to: string): void {
    const source = this.#paths.place(from, 'rename')
    const target = this.#paths.place(to, 'rename')
    const inode = this.#paths.child(source.parent, source.name, 'rename', from)
    const replaced = target.parent.children.get(target.name)
    if (replaced === inode) return
    if (inode.kind === 'dir' && isInside(target.parent, inode)) throw systemError('EINVAL', 'rename', from)
    if (replaced) {
      if (inode.kind === 'dir' && replaced.kind !== 'dir') throw systemError('ENOTDIR', 'rename', from)
      if (inode.kind !== 'dir' && replaced.kind === 'dir') throw systemError('EISDIR', 'rename', from)
      if (replaced.children.size > 0) throw systemError('ENOTEMPTY', 'rename', from)
    }
    const undo = [this.#touched(inode), this.#detach(source.parent, source.name)]
    if (replaced) undo.push(this.#touched(replaced), this.#detach(target.parent, target.name))
    undo.push(this.#attach(target.parent, target.name, inode))
    this.#journal.add([source.parent, target.parent], () => undoAll(undo))
    if (replaced) this.#forgetIfGone(replaced)
  }

  link(from: string, to: string): void {
    const inode = this.#paths.must(from, 'link')
    const { parent, name } = this.#paths.place(to, 'link')
    if (parent.children.has(name)) throw systemError('EEXIST', 'link', to)
    if (inode.kind === 'dir') throw systemError('EPERM', 'link', from)
    const undo = [this.#touched(inode), this.#attach(parent, name, inode)]
    this.#journal.add([parent], () => undoAll(undo))
  }

  unlink(path: string): void {
    const { parent, name } = this.#paths.place(path, 'unlink')
    const inode = this.#paths.child(parent, name, 'unlink', path)
    if (inode.kind === 'dir') throw systemError('EISDIR', 'unlink', path)
    this.#remove(parent, name)
  }

  symlink(target: string, path: string): void {
    this.#create(path, 'symlink', 'symlink', 0o777, target)
  }

  chmod(path: string, mode: number): void {
    const inode = this.#paths.must(path, 'chmod')
    const { mode: before, ctimeNs } = inode
    inode.mode = mode & 0o7777
    inode.ctimeNs = this.#now()
    this.#journal.add([], inode.giveBack({ mode: before, ctimeNs }))
    this.#tellOfContent(inode)
    // As inotify: whoever watches a directory is told of its own attributes too.
    this.#tellWatchers(inode)
  }

  setMtime(path: string, mtimeMs: number): void {
    this.#setMtime(this.#paths.must(path, 'utime'), mtimeMs)
  }

  writeNew(path: string, bytes: Uint8Array, { mode, mtimeMs }: { mode: number; mtimeMs?: number }): FileStat {
    const inode = this.#create(path, 'open', 'file', mode & ~UMASK)
    this.#write(inode, 0, bytes, path)
    if (mtimeMs !== undefined) this.#setMtime(inode, mtimeMs)
    return inode.stat()
  }

  open(path: string, flags: 'r' | 'rw', mode = 0o666): OpenFile {
    const { parent, name } = this.#paths.place(path, 'open')
    const there = parent.children.get(name)
    if (there?.kind === 'symlink') throw systemError('ELOOP', 'open', path)
    if (there?.kind === 'dir' && flags === 'rw') throw systemError('EISDIR', 'open', path)
    if (!there && flags === 'r') throw systemError('ENOENT', 'open', path)
    return this.#handle(there ?? this.#create(path, 'open', 'file', mode & ~UMASK), path)
  }

  /** What a program does that saves in place: the same inode, other bytes. */
  overwrite(path: string, bytes: Uint8Array): void {
    const inode = this.#paths.mustFile(path, 'open')
    this.#setData(inode, new Uint8Array())
    this.#write(inode, 0, bytes, path)
  }

  fsync(path: string): void {
    this.#sync(this.#paths.must(path, 'fsync'))
  }

  umask(): number {
    return UMASK
  }

  bootId(): string {
    return String(this.#boots)
  }

  async syncAll(): Promise<void> {
    for (const inode of this.#unsynced) inode.durable = inode.data
    this.#unsynced.clear()
    this.#journal.syncAll()
  }

  room(): { freeBytes: number; totalBytes: number } {
    const totalBytes = this.#options.volumeBytes
    if (totalBytes === Number.MAX_SAFE_INTEGER) return { freeBytes: totalBytes, totalBytes }
    return { freeBytes: Math.max(0, totalBytes - this.#usedBytes()), totalBytes }
  }

  /** Every open file is closed, as when the programs that had them open are killed. */
  endPrograms(): void {
    this.#life++
    this.#watchers.clear()
  }

  /**
   * Calls back for each change in a directory, of its names or of what they name, until the returned
   * function is called.
   */
  watch(ino: string, onChange: () => void): () => void {
    const watchers = this.#watchers.get(ino) ?? new Set()
    this.#watchers.set(ino, watchers)
    watchers.add(onChange)
    return () => watchers.delete(onChange)
  }

  /**
   * The power goes and comes back. Of the names that nobody made durable a beginning is kept, in the order
   * in which they changed. Bytes of files that nobody made durable are the old ones, the new ones, or a
   * beginning of the new ones with zeros behind it.
   */
  powerCut(random: CutRandom): void {
    this.endPrograms()
    this.#boots++
    for (const inode of this.#unsynced) {
      const { data, durable } = inode
      const fate = random.below(4)
      if (fate === 0) inode.data = durable
      else if (fate >= 2) {
        const torn = new Uint8Array(fate === 2 ? data.length : random.below(data.length + 1))
        const pages = random.below(Math.floor(data.length / PAGE_BYTES) + 1)
        torn.set(data.subarray(0, Math.min(torn.length, pages * PAGE_BYTES)))
        inode.data = torn
      }
      inode.durable = inode.data
    }
    this.#changes++
    this.#unsynced.clear()
    this.#journal.cut(random.below(this.#journal.length + 1))
  }

  #now(): bigint {
    const step = BigInt(this.#options.stampNs)
    // Fine stamps tell changes of one millisecond apart.
    const fine = BigInt(this.#stamps++) % NS_PER_MS
    const ns = BigInt(Math.floor(this.#options.clock.nowMs())) * NS_PER_MS + fine
    return (ns / step) * step
  }

  #create(path: string, call: string, kind: FileKind, mode: number, target = ''): Inode {
    const { parent, name } = this.#paths.place(path, call)
    if (parent.children.has(name)) throw systemError('EEXIST', call, path)
    const number = this.#options.reusesInodes ? this.#freeNumbers.pop() : undefined
    const inode = new Inode(number ?? this.#nextNumber++, kind, mode, this.#now(), target)
    this.#journal.add([parent], this.#attach(parent, name, inode))
    return inode
  }

  #remove(parent: Inode, name: string): void {
    const inode = parent.children.get(name)!
    const undo = [this.#touched(inode), this.#detach(parent, name)]
    this.#journal.add([parent], () => undoAll(undo))
    this.#forgetIfGone(inode)
  }

  /** @returns its undoing. */
  #attach(parent: Inode, name: string, inode: Inode): () => void {
    const undo = this.#changed(parent)
    parent.children.set(name, inode)
    this.#renamed()
    inode.nlink += inode.kind === 'dir' ? 2 : 1
    if (inode.kind === 'dir') parent.nlink++
    return () => {
      parent.children.delete(name)
      this.#renamed()
      inode.nlink -= inode.kind === 'dir' ? 2 : 1
      if (inode.kind === 'dir') parent.nlink--
      undo()
    }
  }

  /** @returns its undoing. */
  #detach(parent: Inode, name: string): () => void {
    const undo = this.#changed(parent)
    const inode = parent.children.get(name)!
    parent.children.delete(name)
    this.#renamed()
    inode.nlink -= inode.kind === 'dir' ? 2 : 1
    if (inode.kind === 'dir') parent.nlink--
    return () => {
      parent.children.set(name, inode)
      this.#renamed()
      inode.nlink += inode.kind === 'dir' ? 2 : 1
      if (inode.kind === 'dir') parent.nlink++
      undo()
    }
  }

  #renamed(): void {
    this.#changes++
    this.#paths.forget()
  }

  /** @returns its undoing. */
  #touched(inode: Inode): () => void {
    const { ctimeNs } = inode
    inode.ctimeNs = this.#now()
    return inode.giveBack({ ctimeNs })
  }

  /** @returns its undoing. */
  #changed(directory: Inode): () => void {
    const { mtimeNs, ctimeNs } = directory
    directory.mtimeNs = this.#now()
    directory.ctimeNs = directory.mtimeNs
    this.#tellWatchers(directory)
    return () => Object.assign(directory, { mtimeNs, ctimeNs })
  }

  #tellWatchers(directory: Inode): void {
    for (const onChange of this.#watchers.get(String(directory.ino)) ?? []) onChange()
  }

  /** To those who watch a directory that names it. */
  #tellOfContent(inode: Inode, from: Inode = this.#root): void {
    if (this.#watchers.size === 0) return
    let isHere = false
    for (const child of from.children.values()) {
      isHere ||= child === inode
      if (child.kind === 'dir') this.#tellOfContent(inode, child)
    }
    if (isHere) this.#tellWatchers(from)
  }

  /** A number is given again only when no power cut can bring its owner back. */
  #forgetIfGone(inode: Inode): void {
    if (inode.nlink > 0 || inode.handles > 0) return
    this.#journal.whenDurable(() => {
      if (inode.nlink === 0) this.#freeNumbers.push(inode.ino)
    })
  }

  #setMtime(inode: Inode, mtimeMs: number): void {
    const { mtimeNs, ctimeNs } = inode
    const step = BigInt(this.#options.stampNs)
    inode.mtimeNs = ((BigInt(Math.floor(mtimeMs)) * NS_PER_MS) / step) * step
    inode.ctimeNs = this.#now()
    this.#journal.add([], inode.giveBack({ mtimeNs, ctimeNs }))
  }

  #write(inode: Inode, offset: number, bytes: Uint8Array, path: string): void {
    const data = new Uint8Array(Math.max(inode.data.length, offset + bytes.length))
    const more = data.length - inode.data.length
    if (more > 0 && more > this.room().freeBytes) throw systemError('ENOSPC', 'write', path)
    data.set(inode.data)
    data.set(bytes, offset)
    this.#setData(inode, data)
  }

  #setData(inode: Inode, data: Uint8Array): void {
    inode.data = data
    this.#changes++
    inode.mtimeNs = this.#now()
    inode.ctimeNs = inode.mtimeNs
    this.#unsynced.add(inode)
    this.#tellOfContent(inode)
  }

  #sync(inode: Inode): void {
    inode.durable = inode.data
    inode.syncs++
    this.#unsynced.delete(inode)
    if (inode.kind === 'dir') this.#journal.sync(inode)
  }

  #handle(inode: Inode, path: string): OpenFile {
    inode.handles++
    const life = this.#life
    let isOpen = true
    const alive = (): Inode => {
      if (!isOpen || life !== this.#life) throw systemError('EBADF', 'fstat', path)
      return inode
    }
    return {
      stat: () => alive().stat(),
      read: async (offset, length, into) => {
        const part = alive().data.slice(offset, offset + length)
        into?.set(part)
        return into ? into.subarray(0, part.length) : part
      },
      write: async (offset, bytes) => this.#write(alive(), offset, bytes, path),
      truncate: (size) => {
        const data = new Uint8Array(size)
        data.set(alive().data.subarray(0, size))
        this.#setData(inode, data)
      },
      sync: async () => this.#sync(alive()),
      close: async () => {
        if (!isOpen) return
        isOpen = false
        inode.handles--
        this.#forgetIfGone(inode)
      },
    }
  }

  #usedBytes(): number {
    if (this.#used.changes !== this.#changes)
      this.#used = { bytes: bytesBelow(this.#root, new Set()), changes: this.#changes }
    return this.#used.bytes
  }
}

function bytesBelow(inode: Inode, counted: Set<Inode>): number {
  if (counted.has(inode)) return 0
  counted.add(inode)
  let sum = inode.data.length
  for (const child of inode.children.values()) sum += bytesBelow(child, counted)
  return sum
}

function* seen(
  directory: Inode,
  prefix: string,
  isPassedOver: (path: string) => boolean,
): Iterable<SeenThing> {
  for (const name of [...directory.children.keys()].sort()) {
    const path = prefix + name
    if (isPassedOver(path)) continue
    const inode = directory.children.get(name)!
    yield { path, kind: inode.kind, data: inode.data, target: inode.target }
    if (inode.kind === 'dir') yield* seen(inode, `${path}/`, isPassedOver)
  }
}

/** The last step first. */
function undoAll(steps: readonly (() => void)[]): void {
  for (const undo of [...steps].reverse()) undo()
}
