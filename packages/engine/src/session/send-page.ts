import {
  type Entries,
  encodeNodeEntry,
  FRAME_BYTES_TARGET,
  type InlineChunk,
  type NodeEntry,
  type NodeId,
  ROOT,
  type Vector,
} from '@tidemark/protocol'
import { newerThan } from '../core/incoming.js'
import type { LogEntry } from '../database/change-log.js'
import type { SpaceSnapshot } from '../database/space-snapshot.js'
import type { InlineChunks } from '../transfer/riding-chunks.js'
import { smallRootsOf } from './small-roots.js'

/** Entries in one frame: bounds what the other end writes in one batch. */
const ENTRIES_PER_ROUND_FRAME_MAX = 1_000
/** An inline chunk without its bytes, about. */
const INLINE_HEAD_BYTES = 40

export interface PageOptions {
  readonly snapshot: SpaceSnapshot
  /** What the peer has: it is not sent again. */
  readonly theirs: Vector
  /** Bytes of small files that ride along. */
  readonly cache: InlineChunks
  /** Entries in one frame. @default 1,000 */
  readonly entriesPerFrameMax?: number | undefined
  /** Of one round to a hub: nodes that have been sent, or that it has, and that others may stand in. */
  readonly above?: Set<NodeId> | undefined
  /**
   * Whether an entry takes back what was refused. It gets frames of its own: in one with others it would be sent
   * again and again, each time with as few of them as fit in beside it.
   */
  takesBack?(entry: NodeEntry): boolean
  /** Everything else of a frame. */
  readonly frame: Omit<Entries, 'lseq' | 'entries' | 'inline'>
  send(frame: Entries): Promise<void>
}

/**
 * Sends what one page of the log names. To a hub no entry goes before the directories above it that it lacks: it
 * may judge by names, and a directory that was written to once more is far behind in the log.
 *
 * @returns how many entries that were.
 */
export async function sendPage(page: readonly LogEntry[], options: PageOptions): Promise<number> {
  const { snapshot, theirs, cache, above, frame, send } = options
  const { entriesPerFrameMax = ENTRIES_PER_ROUND_FRAME_MAX } = options
  const nodes = await snapshot.nodes(page.map(({ node }) => node))
  let entries: NodeEntry[] = []
  let inline: InlineChunk[] = []
  let bytes = 0
  let sent = 0
  const flush = async (lseq: number): Promise<void> => {
    if (entries.length + inline.length === 0) return
    const full: Entries = { ...frame, lseq, entries, inline }
    sent += entries.length
    entries = []
    inline = []
    bytes = 0
    await send(full)
  }
  const isFull = () => bytes >= FRAME_BYTES_TARGET || entries.length >= entriesPerFrameMax
  const add = async (entry: NodeEntry, lseq: number): Promise<void> => {
    // One node may have thousands of versions, and be nearly as long as a frame: what belongs to it goes before it.
    for (const id of smallRootsOf(entry)) {
      const kept = cache.get(id)
      if (!kept) continue
      inline.push({ id, bytes: kept })
      bytes += INLINE_HEAD_BYTES + kept.length
      if (isFull()) await flush(lseq - 1)
    }
    // Remembered: the frame is made of these bytes.
    const { length } = encodeNodeEntry(entry)
    if (bytes + length > FRAME_BYTES_TARGET) await flush(lseq - 1)
    entries.push(entry)
    bytes += length
  }
  let didTakeBack = false
  for (const [i, { lseq, node: id }] of page.entries()) {
    const node = nodes[i]
    const newer = node && newerThan(node, theirs)
    if (!newer) continue
    const takesBack = options.takesBack?.(newer) === true
    if (takesBack !== didTakeBack) await flush(lseq - 1)
    didTakeBack = takesBack
    if (above) {
      if (above.has(id)) continue
      for (const entry of await lackedAbove(newer, above, options)) {
        await add(entry, lseq)
        if (isFull()) await flush(lseq - 1)
      }
      if (newer.kind === 'dir') above.add(id)
    }
    await add(newer, lseq)
    if (isFull()) await flush(lseq)
  }
  const last = page.at(-1)
  if (last) await flush(last.lseq)
  return sent
}

/** What the peer lacks of the directories above a node; outermost first. */
async function lackedAbove(
  { id, loc }: NodeEntry,
  above: Set<NodeId>,
  { snapshot, theirs }: PageOptions,
): Promise<NodeEntry[]> {
  const lacked: NodeEntry[] = []
  const open = loc.map(({ value }) => value.parent)
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (at === ROOT || at === id || above.has(at)) continue
    above.add(at)
    const [node] = await snapshot.nodes([at])
    const newer = node && newerThan(node, theirs)
    if (!newer) continue
    lacked.unshift(newer)
    open.push(...newer.loc.map(({ value }) => value.parent))
  }
  return lacked
}
