import type { NodeEntry, NodeId, StateDigest, Vector } from '@tidemark/protocol'
import type { LogEntry } from './change-log.js'

/** One consistent state: its log and registers, and the vectors that belong to it. */
export interface SpaceSnapshot {
  readonly lseq: number
  readonly frontier: Vector
  readonly met: Vector
  readonly floor: Vector
  log(after: number): AsyncIterable<readonly LogEntry[]>
  nodes(ids: readonly NodeId[]): Promise<readonly (NodeEntry | undefined)[]>
  /** What is shown, as one number; reads every node. */
  digest(): Promise<StateDigest>
  close(): Promise<void>
}
