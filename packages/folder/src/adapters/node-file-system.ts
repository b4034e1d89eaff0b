import { execFile } from 'node:child_process'
import * as fs from 'node:fs'
import { promisify } from 'node:util'
import type { FileKind, FileStat, FileSystem, OpenFile } from '../ports/file-system.js'

const run = promisify(execFile)
const { O_RDONLY, O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = fs.constants

/** The disk of this machine. */
export const nodeFileSystem: FileSystem = {
  lstat(path) {
    try {
      const stats = fs.lstatSync(path, { bigint: true, throwIfNoEntry: false })
      return stats && toStat(stats)
    } catch (error) {
      if (errnoOf(error) === 'ENOTDIR') return undefined
      throw error
    }
  },
  readdir: (path) => fs.readdirSync(path, { encoding: 'buffer' }),
  readlink: (path) => fs.readlinkSync(path, { encoding: 'buffer' }),
  readFile(path) {
    const fd = fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    try {
      return fs.readFileSync(fd)
    } finally {
      fs.closeSync(fd)
    }
  },
  mkdir(path, mode = 0o777) {
    fs.mkdirSync(path, { mode })
  },
  rmdir: (path) => fs.rmdirSync(path),
  rename: (from, to) => fs.renameSync(from, to),
  link(from, to) {
    // Elsewhere link(2) may give the name to what a symlink leads to.
    if (process.platform !== 'linux' && fs.lstatSync(from).isSymbolicLink())
      throw Object.assign(new Error(`ENOTSUP: link '${from}' -> '${to}'`), { code: 'ENOTSUP' })
    fs.linkSync(from, to)
  },
  unlink: (path) => fs.unlinkSync(path),
  symlink: (target, path) => fs.symlinkSync(target, path),
  chmod: (path, mode) => fs.chmodSync(path, mode),
  setMtime: (path, mtimeMs) => fs.lutimesSync(path, mtimeMs / 1000, mtimeMs / 1000),
  writeNew(path, bytes, { mode, mtimeMs }) {
    const fd = fs.openSync(path, 'wx', mode)
    try {
      for (let done = 0; done < bytes.length; ) done += fs.writeSync(fd, bytes, done)
      if (mtimeMs !== undefined) fs.futimesSync(fd, mtimeMs / 1000, mtimeMs / 1000)
      return toStat(fs.fstatSync(fd, { bigint: true }))
    } catch (error) {
      // Each attempt may be under another name: on a full disk they would take what room comes.
      fs.unlinkSync(path)
      throw error
    } finally {
      fs.closeSync(fd)
    }
  },
  open(path, flags, mode = 0o666) {
    // O_NONBLOCK: a fifo that took the place of the file must not block the process.
    const bits = flags === 'r' ? O_RDONLY | O_NONBLOCK : O_RDWR | O_CREAT
    return new NodeOpenFile(fs.openSync(path, bits | O_NOFOLLOW, mode))
  },
  fsync(path) {
    // Windows cannot open a directory; NTFS journals names itself.
    if (process.platform === 'win32' && fs.lstatSync(path).isDirectory()) return
    const fd = fs.openSync(path, process.platform === 'win32' ? 'r+' : 'r')
    try {
      fs.fsyncSync(fd)
    } finally {
      fs.closeSync(fd)
    }
  },
  bootId: readBootId,
  umask: readUmask,

  async syncAll(path) {
    await run('sync', ['-f', path])
  },
  room(path) {
    const { bavail, bsize, blocks } = fs.statfsSync(path)
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
  },
}

class NodeOpenFile implements OpenFile {
  #fd: number | undefined
  #pending = 0
  #drained: (() => void) | undefined

  constructor(fd: number) {
    this.#fd = fd
  }

  stat(): FileStat {
    return toStat(fs.fstatSync(this.#mustFd(), { bigint: true }))
  }

  read(offset: number, length: number, into?: Uint8Array): Promise<Uint8Array> {
    return this.#during(async (fd) => {
      const bytes = into?.subarray(0, length) ?? Buffer.allocUnsafeSlow(length)
      let done = 0
      while (done < length) {
        const count = await readAt(fd, bytes, done, offset + done)
        if (count === 0) break
        done += count
      }
      return bytes.subarray(0, done)
    })
  }

  write(offset: number, bytes: Uint8Array): Promise<void> {
    return this.#during(async (fd) => {
      for (let done = 0; done < bytes.length; ) done += await writeAt(fd, bytes, done, offset + done)
    })
  }

  truncate(size: number): void {
    fs.ftruncateSync(this.#mustFd(), size)
  }

  sync(): Promise<void> {
    return this.#during((fd) => fsyncAsync(fd))
  }

  async close(): Promise<void> {
    const fd = this.#fd
    if (fd === undefined) return
    this.#fd = undefined
    // The number may be given to another file at once: no call may still use it.
    if (this.#pending > 0) await new Promise<void>((resolve) => (this.#drained = resolve))
    fs.closeSync(fd)
  }

  #mustFd(): number {
    if (this.#fd === undefined) throw new TypeError('the file is closed')
    return this.#fd
  }

  async #during<T>(work: (fd: number) => Promise<T>): Promise<T> {
    const fd = this.#mustFd()
    this.#pending++
    try {
      return await work(fd)
    } finally {
      if (--this.#pending === 0) this.#drained?.()
    }
  }
}

const fsyncAsync = promisify(fs.fsync)
const readAt = (fd: number, into: Uint8Array, at: number, position: number) =>
  new Promise<number>((resolve, reject) => {
    fs.read(fd, into, at, into.length - at, position, (error, count) =>
      error ? reject(error) : resolve(count),
    )
  })
const writeAt = (fd: number, from: Uint8Array, at: number, position: number) =>
  new Promise<number>((resolve, reject) => {
    fs.write(fd, from, at, from.length - at, position, (error, count) =>
      error ? reject(error) : resolve(count),
    )
  })

/** Linux says it; elsewhere it is not known. */
function readBootId(): string | undefined {
  try {
    return fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return undefined
  }
}

/** Linux says it; elsewhere it must be set to be read, and another thread may create a file meanwhile. */
function readUmask(): number {
  try {
    const [, digits] = /^Umask:\s*([0-7]+)$/m.exec(fs.readFileSync('/proc/self/status', 'utf8')) ?? []
    if (digits !== undefined) return Number.parseInt(digits, 8)
  } catch {
    // No /proc here.
  }
  return process.umask()
}

/** Of `st_blocks`, whatever the blocks of the disk are. */
const BLOCK_BYTES = 512

function toStat(stats: fs.BigIntStats): FileStat {
  return {
    kind: kindOf(Number(stats.mode)),
    dev: String(stats.dev),
    ino: String(stats.ino),
    birthtimeNs: String(stats.birthtimeNs),
    size: Number(stats.size),
    mtimeNs: String(stats.mtimeNs),
    ctimeNs: String(stats.ctimeNs),
    mode: Number(stats.mode) & 0o7777,
    nlink: Number(stats.nlink),
    allocatedBytes: Number(stats.blocks) * BLOCK_BYTES,
  }
}

function kindOf(mode: number): FileKind {
  switch (mode & fs.constants.S_IFMT) {
    case fs.constants.S_IFREG:
      return 'file'
    case fs.constants.S_IFDIR:
      return 'dir'
    case fs.constants.S_IFLNK:
      return 'symlink'
    default:
      return 'special'
  }
}

/** The `code` of a system error, `undefined` for anything else. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
