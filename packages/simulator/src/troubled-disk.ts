import type { FileSystem } from '@tidemark/folder'

/** What is the matter with a disk, for a while. */
export class DiskTroubles {
  /** Directories (absolute) that nobody may enter. */
  readonly denied = new Set<string>()
  isFull = false
  /** After so many calls that change something the program is dead; `undefined`: it lives on. */
  callsLeft: number | undefined

  /** @param path Absolute. Whether it is below a directory that may not be entered. */
  isDenied(path: string): boolean {
    for (const directory of this.denied) if (path.startsWith(`${directory}/`)) return true
    return false
  }
}

type Call = keyof FileSystem

/** Calls that take room. */
const GROWS: ReadonlySet<string> = new Set<Call>(['mkdir', 'link', 'symlink', 'writeNew'])
/** Calls whose second argument is a path too. */
const TWO_PATHS: ReadonlySet<string> = new Set<Call>(['rename', 'link'])
/** Calls that change nothing that a user sees. */
const READS: ReadonlySet<string> = new Set<Call>([
  'lstat',
  'readdir',
  'readlink',
  'readFile',
  'open',
  'fsync',
  'syncAll',
  'room',
])

export class EndedError extends Error {
  override readonly name = 'EndedError'
}

const systemError = (code: string, call: string, path: string): Error =>
  Object.assign(new Error(`${code}: ${call} '${path}'`), { code, syscall: call, path })

export interface TroubledDiskParts {
  readonly troubles: DiskTroubles
  /** Whether the program that makes the calls still runs. */
  isAlive(): boolean
  /** The program dies before the call is carried out. */
  onTrap(): void
  /** Called after each call that may have changed names or bytes. */
  onChange(): void
}

/** A disk as a program sees it: refusing while there is trouble, and deaf to programs that ended. */
export function troubledDisk(disk: FileSystem, parts: TroubledDiskParts): FileSystem {
  const { troubles, isAlive, onTrap, onChange } = parts
  const countDown = (call: string): void => {
    if (troubles.callsLeft === undefined || READS.has(call)) return
    if (troubles.callsLeft-- > 0) return
    troubles.callsLeft = undefined
    onTrap()
  }
  const check = (call: string, args: readonly unknown[]): void => {
    if (isAlive()) countDown(call)
    if (!isAlive()) throw new EndedError(call)
    const path = String(args[call === 'symlink' ? 1 : 0])
    if (call === 'readdir' ? troubles.isDenied(`${path}/`) : troubles.isDenied(path))
      throw systemError('EACCES', call, path)
    if (TWO_PATHS.has(call) && troubles.isDenied(String(args[1])))
      throw systemError('EACCES', call, String(args[1]))
    if (!troubles.isFull) return
    const isNew = disk.lstat(call === 'link' ? String(args[1]) : path) === undefined
    if ((GROWS.has(call) && isNew) || (call === 'open' && args[1] === 'rw'))
      throw systemError('ENOSPC', call, path)
  }
  return new Proxy(disk, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property)
      if (typeof value !== 'function') return value
      const call = String(property)
      return (...args: unknown[]): unknown => {
        check(call, args)
        if (call === 'room' && troubles.isFull) return { freeBytes: 0, totalBytes: 1 << 30 }
        const result: unknown = value.apply(target, args)
        if (!READS.has(call)) onChange()
        return result
      }
    },
  })
}
