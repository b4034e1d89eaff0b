import {
  type Entries,
  FRAME_BYTES_TARGET,
  type InlineChunk,
  type NodeEntry,
  type Vector,
} from '@tidemark/protocol'
import { newerThan } from '../core/incoming.js'
import type { LogEntry } from '../database/change-log.js'
import type { SpaceSnapshot } from '../database/space-snapshot.js'
import type { InlineChunks } from '../transfer/riding-chunks.js'
import { roughEntryBytes, smallRootsOf } from './entry-size.js'

/** Entries in one frame: bounds what the other end writes in one batch. */
const ENTRIES_PER_ROUND_FRAME_MAX = 1_000

export interface PageOptions {
  readonly snapshot: SpaceSnapshot
  /** What the peer has: it is not sent again. */
  readonly theirs: Vector
  /** Bytes of small files that ride along. */
  readonly cache: InlineChunks
  /** Entries in one frame. @default 1,000 */
  readonly entriesPerFrameMax?: number | undefined
  /** Everything else of a frame. */
  readonly frame: Omit<Entries, 'lseq' | 'entries' | 'inline'>
  send(frame: Entries): Promise<void>
}

/** Sends what one page of the log names. @returns how many entries that were. */
export async function sendPage(page: readonly LogEntry[], options: PageOptions): Promise<number> {
  const { snapshot, theirs, cache, frame, send } = options
  const { entriesPerFrameMax = ENTRIES_PER_ROUND_FRAME_MAX } = options
  const nodes = await snapshot.nodes(page.map(({ node }) => node))
  let entries: NodeEntry[] = []
  let inline: InlineChunk[] = []
  let bytes = 0
  let sent = 0
  const flush = async (lseq: number): Promise<void> => {
    if (entries.length === 0) return
    const full: Entries = { ...frame, lseq, entries, inline }
    sent += entries.length
    entries = []
    inline = []
    bytes = 0
    await send(full)
  }
  for (const [i, { lseq }] of page.entries()) {
    const node = nodes[i]
    const newer = node && newerThan(node, theirs)
    if (!newer) continue
    entries.push(newer)
    bytes += roughEntryBytes(newer)
    for (const id of smallRootsOf(newer)) {
      const kept = cache.get(id)
      if (!kept) continue
      inline.push({ id, bytes: kept })
      bytes += kept.length
    }
    if (bytes >= FRAME_BYTES_TARGET || entries.length >= entriesPerFrameMax) await flush(lseq)
  }
  const last = page.at(-1)
  if (last) await flush(last.lseq)
  return sent
}
