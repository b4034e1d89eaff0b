import { SourceChangedError } from '@tidemark/protocol'
import type { ByteSource } from '../ports/byte-source.js'

/** A `File` or `Blob`, read in parts: it is never in memory as a whole. */
export function blobByteSource(blob: Blob): ByteSource {
  return {
    size: blob.size,
    read: async (offset, length) => {
      try {
        return new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer())
      } catch (error) {
        // A file that was changed or removed on the disk after it was picked.
        throw new SourceChangedError('the file is no longer what was picked', { cause: error })
      }
    },
    close: async () => undefined,
  }
}
