import { join } from 'node:path'
import type { ApplyContext } from '../apply-context.js'
import type { FileStat } from '../ports/file-system.js'
import { mustBeSystemError } from './disk.js'
import type { Downloads } from './downloads.js'
import { rootOfPart } from './staging.js'

const DAY_MS = 24 * 3_600_000
/** A download that nobody continued for this long is given up. */
const PART_AGE_MS_MAX = 7 * DAY_MS

/** @param nowMs Of the wall clock. */
export const isGivenUp = ({ ctimeNs }: FileStat, nowMs: number): boolean =>
  nowMs - Number(BigInt(ctimeNs) / 1_000_000n) > PART_AGE_MS_MAX

/**
 * Takes away what is left of downloads in a folder that runs for months: all of it when nothing is to come any
 * more, for then another version has taken the place of theirs; and daily what was given up.
 */
export class PartPruning {
  #prunedMs: number
  /** Downloads that had begun when all parts were taken away. */
  #begun = 0

  /** @param nowMs Monotonic: the start has pruned. */
  constructor(
    private readonly ctx: Pick<ApplyContext, 'files' | 'clock' | 'staging'>,
    private readonly downloads: Pick<Downloads, 'begun' | 'isIdle' | 'isRunning'>,
    nowMs: number,
  ) {
    this.#prunedMs = nowMs
  }

  /**
   * @param nowMs Monotonic.
   * @param isAllHere Whether nothing is to come.
   * @param isSettled A half-done effect goes on with its part.
   */
  pruneIfDue(nowMs: number, isAllHere: boolean, isSettled: boolean): void {
    if (!isSettled) return
    const { begun, isIdle } = this.downloads
    const isNoneWanted = isAllHere && isIdle && begun > this.#begun
    if (!isNoneWanted && nowMs - this.#prunedMs < DAY_MS) return
    try {
      this.#prune(isNoneWanted)
    } catch (error) {
      // The disk refuses: nothing depends on it, and its time comes again.
      mustBeSystemError(error)
    }
    this.#prunedMs = nowMs
    if (isNoneWanted) this.#begun = begun
  }

  #prune(isNoneWanted: boolean): void {
    const { files, clock, staging } = this.ctx
    for (const bytes of files.readdir(staging)) {
      const name = Buffer.from(bytes).toString('utf8')
      const root = rootOfPart(name)
      if (root === undefined || this.downloads.isRunning(root)) continue
      const path = join(staging, name)
      const stat = files.lstat(path)
      if (stat && (isNoneWanted || isGivenUp(stat, clock.nowMs()))) files.unlink(path)
    }
  }
}
