import type { Clock } from '@tidemark/engine'
import type { FileSystem } from '../ports/file-system.js'
import { mustBeSystemError } from './disk.js'
import { pruneTrash } from './trash.js'

/** Things grow old without anybody adding to them. */
const DAY_MS = 24 * 3_600_000
/** Looking at a large trash takes a while: while things are added, it is done this often. */
const HOUR_MS = 3_600_000

/** When the trash of a folder that runs for months is looked at: daily, and hourly while it grows. */
export class TrashPruning {
  #prunedMs: number
  #hasGrown = false

  /** @param nowMs Monotonic: the start has pruned. */
  constructor(
    private readonly parts: {
      readonly files: FileSystem
      readonly clock: Clock
      /** Absolute. */
      readonly trash: string
    },
    nowMs: number,
  ) {
    this.#prunedMs = nowMs
  }

  /** Something was deleted or replaced on disk. */
  grown(): void {
    this.#hasGrown = true
  }

  /**
   * @param nowMs Monotonic.
   * @param isSettled No effect is half done: old content may be all that there is of a file as long as one is.
   */
  pruneIfDue(nowMs: number, isSettled: boolean): void {
    if (!isSettled || nowMs - this.#prunedMs < (this.#hasGrown ? HOUR_MS : DAY_MS)) return
    this.#prunedMs = nowMs
    this.#hasGrown = false
    const { files, clock, trash } = this.parts
    try {
      pruneTrash(files, trash, clock.nowMs())
    } catch (error) {
      // The disk refuses, or the trash is gone: nothing depends on it, and its time comes again.
      mustBeSystemError(error)
    }
  }
}
