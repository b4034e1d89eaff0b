import type { ChunkId, RunId } from '../ids.js'
import type { NodeEntry } from '../node-entry.js'

/** Registers, in log order. Applied in one atomic batch together with the cursor. */
export interface Entries {
  readonly type: 'entries'
  readonly channel: number
  readonly run: RunId
  /** Log position of the last entry of this frame: the cursor after it was applied. */
  readonly lseq: number
  /** Whole nodes: both registers of each; only siblings that the receiver's frontier does not hold. */
  readonly entries: readonly NodeEntry[]
  /** Bytes of small files that ride along; stored before the entries. */
  readonly inline: readonly InlineChunk[]
  /** Part of a repair: all siblings, and what lives is taken over although the receiver's frontier holds it. */
  readonly repair?: boolean
}

export interface InlineChunk {
  readonly id: ChunkId
  readonly bytes: Uint8Array
}
