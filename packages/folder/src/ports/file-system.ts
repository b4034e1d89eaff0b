import type { Fingerprint } from '../rows.js'

export type FileKind = 'file' | 'dir' | 'symlink' | 'special'

export interface FileStat extends Fingerprint {
  /** `special`: a fifo, a socket or a device. */
  readonly kind: FileKind
  /** What it takes of the volume: less than `size` where the file has holes. 0 where the disk does not say. */
  readonly allocatedBytes: number
}

/**
 * The calls that the folder makes on a disk. Paths are absolute and never end in a slash.
 *
 * Small calls answer at once: for many small files that is several times faster than a promise each, and
 * the callers work in slices. Whatever fails throws the system's error with its `code`.
 */
export interface FileSystem {
  /** Never follows the last component. `undefined`: nothing there (ENOENT, ENOTDIR). */
  lstat(path: string): FileStat | undefined
  /** Names as bytes, in no order, without `.` and `..`. */
  readdir(path: string): Uint8Array[]
  readlink(path: string): Uint8Array
  /** Never follows a symlink at the end (ELOOP). */
  readFile(path: string): Uint8Array
  /** @throws EEXIST. */
  mkdir(path: string, mode?: number): void
  rmdir(path: string): void
  /** Replaces a file at `to`, as rename(2). */
  rename(from: string, to: string): void
  /**
   * A second name: the way to place a file without ever replacing one. Of a symlink itself, never of what it leads
   * to. @throws EEXIST; ENOTSUP: this system follows symlinks here.
   */
  link(from: string, to: string): void
  unlink(path: string): void
  symlink(target: string, path: string): void
  chmod(path: string, mode: number): void
  /** Modification time; access time becomes the same. Never follows a symlink. */
  setMtime(path: string, mtimeMs: number): void
  /** Creates the file with these bytes; a write that fails leaves none. @throws EEXIST. @returns its stat after the write. */
  writeNew(path: string, bytes: Uint8Array, options: { mode: number; mtimeMs?: number }): FileStat
  /** `r`: must exist, symlinks refused; `rw`: created if absent. */
  open(path: string, flags: 'r' | 'rw', mode?: number): OpenFile
  /** Makes a file's bytes, or a directory's names, durable. */
  fsync(path: string): void
  /** Makes everything on the file system of `path` durable. */
  syncAll(path: string): Promise<void>
  /**
   * Another one after each start of the machine: what was done to a disk under one of them happened in order, and
   * is there. `undefined`: not known.
   */
  bootId(): string | undefined
  /** Permission bits that the system takes away from whatever this process creates; not from what it gives another mode. */
  umask(): number
  /** Bytes free for this user, and the volume's size. */
  room(path: string): { readonly freeBytes: number; readonly totalBytes: number }
}

/** An open file; positions are explicit, calls may overlap. */
export interface OpenFile {
  stat(): FileStat
  /** Up to `length` bytes, in `into` if it is given; fewer only at the end of the file. */
  read(offset: number, length: number, into?: Uint8Array): Promise<Uint8Array>
  write(offset: number, bytes: Uint8Array): Promise<void>
  truncate(size: number): void
  sync(): Promise<void>
  /** Idempotent. */
  close(): Promise<void>
}
