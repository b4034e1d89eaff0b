import type { Timers } from '@tidemark/engine'
import type { LackingVersion } from './lacking-versions.js'

/** How long bytes may take to follow their entry until they are asked for; doubled with each question, up to MAX. */
const ASK_AFTER_MS_MIN = 10_000
const ASK_AFTER_MS_MAX = 3_600_000
/** Contents that are expected; more are asked for at the next connection. */
const EXPECTED_MAX = 100_000

interface Expected {
  readonly version: LackingVersion
  readonly afterMs: number
  readonly dueMs: number
}

/** Contents whose entries came before their bytes: each is asked for less and less often, until it came. */
export class LateBytes {
  readonly #expected = new Map<string, Expected>()
  #timer: { readonly dueMs: number; readonly cancel: () => void } | undefined
  #isAsking = false
  #isClosed = false

  /** @param ask Asks for those of them that did not come. @returns these. Never rejects. */
  constructor(
    private readonly timers: Timers,
    private readonly ask: (versions: readonly LackingVersion[]) => Promise<readonly LackingVersion[]>,
  ) {}

  expect(versions: readonly LackingVersion[]): void {
    const dueMs = this.timers.monotonicMs() + ASK_AFTER_MS_MIN
    for (const version of versions) {
      const key = keyOf(version)
      if (this.#expected.has(key) || this.#expected.size >= EXPECTED_MAX) continue
      this.#expected.set(key, { version, afterMs: ASK_AFTER_MS_MIN, dueMs })
      this.#arm(dueMs)
    }
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }

  #arm(dueMs: number): void {
    if (this.#isClosed || this.#isAsking || (this.#timer && this.#timer.dueMs <= dueMs)) return
    this.#timer?.cancel()
    const delayMs = Math.max(0, dueMs - this.timers.monotonicMs())
    this.#timer = { dueMs, cancel: this.timers.after(delayMs, () => void this.#askForDue()) }
  }

  async #askForDue(): Promise<void> {
    this.#timer = undefined
    this.#isAsking = true
    const nowMs = this.timers.monotonicMs()
    const due = [...this.#expected.values()].filter(({ dueMs }) => dueMs <= nowMs)
    const left = new Set((await this.ask(due.map(({ version }) => version))).map(keyOf))
    for (const { version, afterMs } of due) {
      const key = keyOf(version)
      const nextMs = Math.min(2 * afterMs, ASK_AFTER_MS_MAX)
      if (!left.has(key) || afterMs >= ASK_AFTER_MS_MAX) this.#expected.delete(key)
      else this.#expected.set(key, { version, afterMs: nextMs, dueMs: nowMs + nextMs })
    }
    this.#isAsking = false
    let nextMs = Number.POSITIVE_INFINITY
    for (const { dueMs } of this.#expected.values()) nextMs = Math.min(nextMs, dueMs)
    if (nextMs < Number.POSITIVE_INFINITY) this.#arm(nextMs)
  }
}

const keyOf = ({ node, root }: LackingVersion): string => `${node}/${root}`
