import type { ByteSource, ChunkedFile, Clock, NewContent, Upload } from '@tidemark/engine'
import { SourceChangedError, SyncError, TARGET_BYTES_MAX, utf8Decode } from '@tidemark/protocol'
import type { FileStat, FileSystem, OpenFile } from '../ports/file-system.js'
import type { Fingerprint } from '../rows.js'
import { isRacy, mtimeMsOf, sameStamps } from './identity.js'

/** Files up to this are read in one go and kept until they are stored. */
const WHOLE_BYTES_MAX = 256 * 1024

/** A file or symlink as it was read. */
export interface ReadContent {
  /** Of the file that was read, unchanged from its first to its last byte. */
  readonly stat: FileStat
  readonly content: NewContent
  /** Read so soon after its last change that its stamps prove nothing. */
  readonly isRacy: boolean
  /** Absent for a symlink: its target travels with the entry. */
  readonly upload?: Upload
}

/** A symlink's target that cannot be carried. */
export class SymlinkTargetError extends SyncError {
  override readonly name = 'SymlinkTargetError'
  readonly code = 'SYMLINK_TARGET'
  readonly retry = 'never'
}

export interface ReadOptions {
  readonly files: FileSystem
  readonly space: {
    /** Called with what the source was when it was opened. */
    chunk(source: ByteSource, options: { signal: AbortSignal; stat: FileStat }): Promise<ChunkedFile>
  }
  readonly clock: Clock
  /** Absolute. */
  readonly path: string
  readonly signal: AbortSignal
}

/**
 * Reads and chunks what stands at `path`.
 *
 * @throws {SourceChangedError} it changed meanwhile, or is gone.
 * @throws {SymlinkTargetError} empty, not UTF-8, or longer than TARGET_BYTES_MAX.
 */
export async function readContent(options: ReadOptions, expected: FileStat): Promise<ReadContent> {
  const { files, path, clock } = options
  const startMs = clock.nowMs()
  const read = expected.kind === 'symlink' ? await readLink(options) : await readFile(options)
  const after = files.lstat(path)
  if (!after || !sameStamps(after, read.stat)) throw changed(path)
  return { ...read, isRacy: isRacy(read.stat, startMs, clock.nowMs()) }
}

type Read = Omit<ReadContent, 'isRacy'>

async function readLink({ files, space, path, signal }: ReadOptions): Promise<Read> {
  const stat = files.lstat(path)
  if (stat?.kind !== 'symlink') throw changed(path)
  const bytes = files.readlink(path)
  if (bytes.length === 0) throw new SymlinkTargetError('empty')
  if (bytes.length > TARGET_BYTES_MAX) throw new SymlinkTargetError(`longer than ${TARGET_BYTES_MAX} bytes`)
  let target: string
  try {
    target = utf8Decode(bytes)
  } catch (error) {
    throw new SymlinkTargetError('not UTF-8', { cause: error })
  }
  const chunked = await space.chunk(memorySource(bytes), { signal, stat })
  return { stat, content: { ...contentOf(chunked, stat), target } }
}

async function readFile(options: ReadOptions): Promise<Read> {
  const { files, space, path, signal } = options
  const seen = files.lstat(path)
  if (seen?.kind === 'file' && seen.size <= WHOLE_BYTES_MAX) return readWhole(options, seen)
  const source = openSource(files, path)
  try {
    const { stat } = source
    const file = await space.chunk(source, { signal, stat })
    return {
      stat,
      content: contentOf(file, stat),
      upload: { file, open: async () => openSource(files, path, stat) },
    }
  } finally {
    await source.close()
  }
}

/** In one blocking call: for small files several times faster than a promise for each step. */
async function readWhole({ files, space, path, signal }: ReadOptions, stat: FileStat): Promise<Read> {
  const bytes = files.readFile(path)
  // That it is still what `stat` says is checked by the caller, after the last byte was read.
  if (bytes.length !== stat.size) throw changed(path)
  const file = await space.chunk(memorySource(bytes), { signal, stat })
  return { stat, content: contentOf(file, stat), upload: { file, open: async () => memorySource(bytes) } }
}

const contentOf = ({ root, height, size }: ChunkedFile, stat: FileStat): NewContent => ({
  root,
  height,
  size,
  mtimeMs: mtimeMsOf(stat),
})

/**
 * A file on disk as it is now, or as `expected` says.
 *
 * @throws {SourceChangedError} it is no regular file any more, or not what was expected.
 * @throws system errors.
 */
export function openSource(files: FileSystem, path: string, expected?: Fingerprint): FileSource {
  const file = files.open(path, 'r')
  try {
    const stat = file.stat()
    const isExpected = stat.kind === 'file' && (expected === undefined || sameStamps(stat, expected))
    if (!isExpected) throw changed(path)
    return new FileSource(file, stat, path)
  } catch (error) {
    void file.close()
    throw error
  }
}

class FileSource implements ByteSource {
  constructor(
    private readonly file: OpenFile,
    readonly stat: FileStat,
    private readonly path: string,
  ) {}

  get size(): number {
    return this.stat.size
  }

  async read(offset: number, length: number, into?: Uint8Array): Promise<Uint8Array> {
    const bytes = await this.file.read(offset, length, into)
    // Checked after each read: bytes of two versions never make one chunk list.
    if (bytes.length !== length || !sameStamps(this.file.stat(), this.stat)) throw changed(this.path)
    return bytes
  }

  close(): Promise<void> {
    return this.file.close()
  }
}

export function memorySource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read: async (offset, length) => bytes.subarray(offset, offset + length),
    close: async () => undefined,
  }
}

const changed = (path: string): SourceChangedError =>
  new SourceChangedError(`${path} changed while it was read`)
