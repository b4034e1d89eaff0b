import { type ChunkId, INLINE_BYTES_MAX, type NodeEntry } from '@tidemark/protocol'

/** Roots of one-chunk files that may ride along. */
export function smallRootsOf({ content }: NodeEntry): ChunkId[] {
  const roots = new Set<ChunkId>()
  for (const { value } of content) {
    if (value.root !== undefined && value.height === 0 && value.size <= INLINE_BYTES_MAX && value.size > 0) {
      roots.add(value.root)
    }
  }
  return [...roots]
}
