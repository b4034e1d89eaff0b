import type { FileKind } from '../ports/file-system.js'

/** A thing on a simulated disk, whatever its names are. */
export class Inode {
  nlink = 0
  mtimeNs: bigint
  ctimeNs: bigint
  /** Open handles: the thing lives as long as there are some. */
  handles = 0
  /** Of a file: as everybody reads it. Never changed in place. */
  data: Uint8Array = new Uint8Array()
  /** Of a file: what a power cut leaves at least. */
  durable: Uint8Array = new Uint8Array()
  /** Of a directory, by name. */
  readonly children = new Map<string, Inode>()

  constructor(
    readonly ino: number,
    readonly kind: FileKind,
    public mode: number,
    readonly birthtimeNs: bigint,
    /** Of a symlink. */
    readonly target: string = '',
  ) {
    this.mtimeNs = birthtimeNs
    this.ctimeNs = birthtimeNs
  }
}

/** A system error, as the platform reports it. */
export function systemError(code: string, call: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${call} '${path}'`), { code, syscall: call, path })
}
