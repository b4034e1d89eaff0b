import type { NodeEntry, NodeId, Vector } from '@tidemark/protocol'
import type { LogEntry } from './change-log.js'

/** One consistent state: its log and registers, and the vectors that belong to it. */
export interface SpaceSnapshot {
  readonly lseq: number
  readonly frontier: Vector
  readonly met: Vector
  readonly floor: Vector
  log(after: number): AsyncIterable<readonly LogEntry[]>
  nodes(ids: readonly NodeId[]): Promise<readonly (NodeEntry | undefined)[]>
  close(): Promise<void>
}
