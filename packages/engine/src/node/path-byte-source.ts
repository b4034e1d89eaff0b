import { type BigIntStats, closeSync, constants, fstatSync, openSync, read, readSync } from 'node:fs'
import { promisify } from 'node:util'
import { SourceChangedError } from '@tidemark/protocol'
import type { ByteSource } from '../ports/byte-source.js'

const readAsync = promisify(read)

/** Shorter reads block the thread: faster than a trip through the pool. */
const ASYNC_BYTES_MIN = 256 * 1024

/** A symlink in the place of the file is not followed, and a fifo does not block the process. */
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)
/** What the open says of a path where no file stands any more. */
const GONE: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'])

/**
 * A regular file as it is now. Its size and times are taken at the open and compared after each read:
 * bytes of two versions are never mixed up.
 *
 * @throws {SourceChangedError} there is no regular file at `path`; other errors of the file system.
 */
export async function pathByteSource(path: string): Promise<ByteSource> {
  const fd = open(path)
  try {
    const opened = fstatSync(fd, { bigint: true })
    if (!opened.isFile()) throw new SourceChangedError(`${path}: not a regular file`)
    return new PathByteSource(path, fd, opened)
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

function open(path: string): number {
  try {
    return openSync(path, OPEN_FLAGS)
  } catch (error) {
    if (!GONE.has((error as NodeJS.ErrnoException).code)) throw error
    throw new SourceChangedError(`${path}: no regular file stands there`, { cause: error })
  }
}

class PathByteSource implements ByteSource {
  readonly size: number
  #closed = false
  #reading = 0

  constructor(
    private readonly path: string,
    private readonly fd: number,
    private readonly opened: BigIntStats,
  ) {
    this.size = Number(opened.size)
  }

  async read(offset: number, length: number, into?: Uint8Array): Promise<Uint8Array> {
    if (this.#closed) throw new TypeError(`${this.path}: read after close`)
    if (!Number.isSafeInteger(offset) || offset < 0 || length < 0 || offset + length > this.size) {
      throw new RangeError(`${this.path}: ${this.size} bytes have no range ${offset}+${length}`)
    }
    const bytes = into ? into.subarray(0, length) : new Uint8Array(length)
    this.#reading++
    try {
      for (let done = 0; done < length; ) {
        const rest = length - done
        const got =
          rest < ASYNC_BYTES_MIN
            ? readSync(this.fd, bytes, done, rest, offset + done)
            : (await readAsync(this.fd, bytes, done, rest, offset + done)).bytesRead
        if (got === 0) throw new SourceChangedError(`${this.path}: shorter than it was`)
        done += got
      }
      this.#check(fstatSync(this.fd, { bigint: true }))
      return bytes
    } finally {
      this.#reading--
      if (this.#closed && this.#reading === 0) closeSync(this.fd)
    }
  }

  /** Waits for no read: the last one that runs closes the file. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    if (this.#reading === 0) closeSync(this.fd)
  }

  #check(now: BigIntStats): void {
    const { size, mtimeNs, ctimeNs } = this.opened
    if (now.size === size && now.mtimeNs === mtimeNs && now.ctimeNs === ctimeNs) return
    throw new SourceChangedError(`${this.path}: changed while it was read`)
  }
}
