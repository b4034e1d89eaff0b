import { type ChunkId, type Context, INLINE_BYTES_MAX, type NodeEntry } from '@tidemark/protocol'

/** Bytes of a dot or a vector entry, about. */
const DOT_BYTES = 12
/** Bytes of a sibling without its context and its texts, about. */
const SIBLING_BYTES = 80

/** About how long an entry is on the wire: to fill frames, not to check limits. */
export function roughEntryBytes({ loc, content, attr }: NodeEntry): number {
  let bytes = 40
  for (const { ctx, value } of loc) {
    bytes += SIBLING_BYTES + contextBytes(ctx) + value.name.length * 3
    if (value.seen) bytes += contextBytes(value.seen)
    bytes += ((value.held?.length ?? 0) + (value.pin?.length ?? 0)) * DOT_BYTES
  }
  for (const { ctx, value } of content) {
    bytes += SIBLING_BYTES + contextBytes(ctx) + (value.target?.length ?? 0) * 3
    bytes += (value.copies?.length ?? 0) * DOT_BYTES
  }
  for (const { ctx } of attr) bytes += SIBLING_BYTES + contextBytes(ctx)
  return bytes
}

const contextBytes = (ctx: Context): number => (ctx.vector.size + ctx.except.length) * DOT_BYTES

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
