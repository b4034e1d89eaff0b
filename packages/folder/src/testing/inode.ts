import type { FileKind, FileStat } from '../ports/file-system.js'

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
  /** How often its bytes and attributes were made durable. */
  syncs = 0
  /** Of a directory, by name. */
  readonly children = new Map<string, Inode>()
  #stat: FileStat | undefined
  /** What the last stat was made of: the stamps are texts there, and dear. */
  #statOf: readonly unknown[] = []

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

  /** @returns what gives it back these attributes, unless all of them were made durable before. */
  giveBack(attributes: Partial<Pick<Inode, 'mode' | 'mtimeNs' | 'ctimeNs'>>): () => void {
    const { syncs } = this
    return () => {
      if (this.syncs === syncs) Object.assign(this, attributes)
    }
  }

  stat(): FileStat {
    const { mtimeNs, ctimeNs, mode, nlink, data } = this
    const of = this.#statOf
    if (
      this.#stat &&
      of[0] === mtimeNs &&
      of[1] === ctimeNs &&
      of[2] === mode &&
      of[3] === nlink &&
      of[4] === data
    )
      return this.#stat
    this.#statOf = [mtimeNs, ctimeNs, mode, nlink, data]
    this.#stat = {
      kind: this.kind,
      dev: '1',
      ino: String(this.ino),
      birthtimeNs: String(this.birthtimeNs),
      size: this.kind === 'symlink' ? Buffer.byteLength(this.target) : data.length,
      mtimeNs: String(mtimeNs),
      ctimeNs: String(ctimeNs),
      mode,
      nlink,
      allocatedBytes: data.length,
    }
    return this.#stat
  }
}

/** A system error, as the platform reports it. */
export function systemError(code: string, call: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${call} '${path}'`), { code, syscall: call, path })
}
