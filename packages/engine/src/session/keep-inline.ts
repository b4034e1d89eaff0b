import { bytesToHex, ChunkMismatchError, type InlineChunk } from '@tidemark/protocol'
import type { Hasher } from '../ports/hasher.js'
import type { InlineChunks } from '../transfer/riding-chunks.js'

/** Bytes that rode along with entries. @throws {ChunkMismatchError} */
export function keepInline(
  { id, bytes }: InlineChunk,
  { cache, hasher }: { readonly cache: InlineChunks; readonly hasher: Hasher },
): void {
  const actual = bytesToHex(hasher.sha256(bytes))
  if (actual !== id) throw new ChunkMismatchError(id, actual)
  cache.put(id, bytes)
}
