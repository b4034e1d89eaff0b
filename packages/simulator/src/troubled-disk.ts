import type { FileSystem, OpenFile } from '@tidemark/folder'
import { Fault, Trap } from './life.js'
import { EndedError, type Mortal, MortalCalls, mortalFile } from './mortal-calls.js'

/** What is the matter with a disk, for a while. */
export class DiskTroubles {
  /** Directories (absolute) that nobody may enter. */
  readonly denied = new Set<string>()
  isFull = false
  /** Counts calls that change something. */
  readonly trap = new Trap()
  /** Counts calls that change something or make it durable, or all. */
  readonly fault = new Fault()

  /** @param path Absolute. Whether it is below a directory that may not be entered. */
  isDenied(path: string): boolean {
    for (const directory of this.denied) if (path.startsWith(`${directory}/`)) return true
    return false
  }
}

type Call = keyof FileSystem

interface CallTraits {
  /** It changes nothing that a user sees. */
  readonly isRead?: boolean
  /** It takes room. */
  readonly isGrowth?: boolean
  /** Its second argument is a path too. */
  readonly hasTwoPaths?: boolean
}

const READ: CallTraits = { isRead: true }
const GROWTH: CallTraits = { isGrowth: true }

const CALLS: Readonly<Record<Call, CallTraits>> = {
  lstat: READ,
  readdir: READ,
  readlink: READ,
  readFile: READ,
  open: READ,
  fsync: READ,
  syncAll: READ,
  bootId: READ,
  umask: READ,
  room: READ,
  mkdir: GROWTH,
  symlink: GROWTH,
  writeNew: GROWTH,
  link: { isGrowth: true, hasTwoPaths: true },
  rename: { hasTwoPaths: true },
  rmdir: {},
  unlink: {},
  chmod: {},
  setMtime: {},
}

const LOOKS: ReadonlySet<Call> = new Set(['lstat', 'readdir', 'readlink', 'readFile', 'open'])
/** Said without the disk, or of no use to fail. */
const CANNOT_FAIL: ReadonlySet<Call> = new Set(['bootId', 'umask', 'room'])

const systemError = (code: string, call: string, path: string): Error =>
  Object.assign(new Error(`${code}: ${call} '${path}'`), { code, syscall: call, path })

export interface TroubledDiskParts extends Mortal {
  readonly troubles: DiskTroubles
}

/** A disk as a program sees it: refusing while there is trouble, and deaf to programs that ended. */
export function troubledDisk(disk: FileSystem, parts: TroubledDiskParts): FileSystem {
  const { troubles, isAlive } = parts
  const mortal = new MortalCalls(troubles.trap, parts)
  const check = (call: Call, args: readonly unknown[]): void => {
    const { isGrowth, hasTwoPaths } = CALLS[call]
    if (!isAlive()) throw new EndedError(call)
    if (!CANNOT_FAIL.has(call) && troubles.fault.strikes(LOOKS.has(call)))
      throw systemError('EIO', call, String(args[0]))
    if (troubles.denied.size > 0) {
      const path = String(args[call === 'symlink' ? 1 : 0])
      if (call === 'readdir' ? troubles.isDenied(`${path}/`) : troubles.isDenied(path))
        throw systemError('EACCES', call, path)
      if (hasTwoPaths && troubles.isDenied(String(args[1])))
        throw systemError('EACCES', call, String(args[1]))
    }
    if (!troubles.isFull) return
    const path = String(args[call === 'link' || call === 'symlink' ? 1 : 0])
    if ((isGrowth && !disk.lstat(path)) || (call === 'open' && args[1] === 'rw'))
      throw systemError('ENOSPC', call, path)
  }
  const calls: Partial<Record<Call, unknown>> = {}
  for (const call of Object.keys(CALLS) as Call[]) {
    const { isRead } = CALLS[call]
    const carriedOut = disk[call].bind(disk) as (...args: unknown[]) => unknown
    const answered = (args: readonly unknown[]): unknown => {
      check(call, args)
      if (call === 'room' && troubles.isFull) return { freeBytes: 0, totalBytes: 1 << 30 }
      return carriedOut(...args)
    }
    calls[call] = (...args: unknown[]): unknown => {
      const isChange = !isRead || (call === 'open' && args[1] === 'rw')
      const result = isChange ? mortal.change(call, () => answered(args)) : answered(args)
      return call === 'open' ? mortalFile(faultyFile(result as OpenFile, troubles.fault), mortal) : result
    }
  }
  return calls as FileSystem
}

/** An open file on a disk of which single calls fail. */
function faultyFile(file: OpenFile, fault: Fault): OpenFile {
  const check = (call: string): void => {
    if (fault.strikes(call === 'fstat' || call === 'read')) throw systemError('EIO', call, 'an open file')
  }
  return {
    stat: () => {
      check('fstat')
      return file.stat()
    },
    read: async (...args) => {
      check('read')
      return file.read(...args)
    },
    write: async (...args) => {
      check('write')
      return file.write(...args)
    },
    truncate: (size) => {
      check('ftruncate')
      return file.truncate(size)
    },
    sync: async () => {
      check('fsync')
      await file.sync()
    },
    close: () => file.close(),
  }
}
