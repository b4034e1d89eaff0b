import type { HintSet } from '../watch/hints.js'
import { DELAYS_MS } from './retries.js'

/** Passes in a row that ask for one directory and get it at once: what others do meanwhile is settled in fewer. */
const AT_ONCE_MAX = 10

interface Round {
  readonly count: number
  readonly isDeep: boolean
  /** `undefined`: it is looked at now. */
  readonly dueMs: number | undefined
}

/**
 * Directories that one pass after the other wants to look at again: what keeps them so, a change that the space
 * refuses, may do so for ever. Times are monotonic.
 */
export class Rounds {
  readonly #rounds = new Map<string, Round>()

  /**
   * @param again What the pass wants to look at again, and whether with all below.
   * @param taken What it looked at.
   * @returns what is looked at at once; the rest by and by.
   */
  ended(again: ReadonlyMap<string, boolean>, taken: HintSet, nowMs: number): Map<string, boolean> {
    for (const directory of this.#rounds.keys()) {
      const isSettled = taken.isFull || taken.directories.has(directory)
      if (isSettled && !again.has(directory)) this.#rounds.delete(directory)
    }
    const atOnce = new Map<string, boolean>()
    for (const [directory, isDeep] of again) {
      const count = (this.#rounds.get(directory)?.count ?? 0) + 1
      const late = count - AT_ONCE_MAX
      const dueMs = late > 0 ? nowMs + DELAYS_MS[Math.min(late, DELAYS_MS.length) - 1]! : undefined
      this.#rounds.set(directory, { count, isDeep, dueMs })
      if (dueMs === undefined) atOnce.set(directory, isDeep)
    }
    return atOnce
  }

  /** Takes those whose time has come. */
  takeDue(nowMs: number): Map<string, boolean> {
    const due = new Map<string, boolean>()
    for (const [directory, round] of this.#rounds) {
      if (round.dueMs === undefined || round.dueMs > nowMs) continue
      this.#rounds.set(directory, { ...round, dueMs: undefined })
      due.set(directory, round.isDeep)
    }
    return due
  }

  /** Directories that wait. */
  get waiting(): number {
    return [...this.#rounds.values()].filter(({ dueMs }) => dueMs !== undefined).length
  }

  /** When the next one is due, or `undefined`. */
  get nextMs(): number | undefined {
    let next: number | undefined
    for (const { dueMs } of this.#rounds.values())
      if (dueMs !== undefined) next = Math.min(next ?? dueMs, dueMs)
    return next
  }
}
