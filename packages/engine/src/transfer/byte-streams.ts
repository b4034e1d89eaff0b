import { utf8Encode } from '@tidemark/protocol'
import type { Version } from '../core/view-entry.js'
import type { ByteSource } from '../ports/byte-source.js'
import type { Downloader } from './downloader.js'

/** Bytes `[start, end)`. @default the whole file */
export interface ReadRange {
  readonly start?: number
  readonly end?: number
  readonly signal?: AbortSignal
}

/** Bytes in memory, or text as UTF-8, as a source. */
export function bytesSource(data: Uint8Array | string): ByteSource {
  const bytes = typeof data === 'string' ? utf8Encode(data) : data
  return {
    size: bytes.length,
    read: async (offset, length) => bytes.subarray(offset, offset + length),
    close: async () => undefined,
  }
}

/** The same source for somebody who closes it: its owner still reads it. */
export const keptOpen = (source: ByteSource): ByteSource => ({
  size: source.size,
  read: (offset, length) => source.read(offset, length),
  close: async () => undefined,
})

/** The bytes of a version, in order. @throws {RangeError} the range lies outside the file. */
export async function* readVersion(
  downloader: Downloader,
  version: Pick<Version, 'root' | 'height' | 'size'>,
  { start = 0, end = version.size, signal }: ReadRange,
): AsyncGenerator<Uint8Array> {
  if (start < 0 || end > version.size || start > end) {
    throw new RangeError(`range ${start}-${end} of a file of ${version.size} bytes`)
  }
  yield* downloader.stream(version, { start, end }, signal ? { signal } : {})
}
