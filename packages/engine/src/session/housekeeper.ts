import { type Vector, vectorAtMost } from '@tidemark/protocol'
import type { SpaceDatabase } from '../database/space-database.js'
import type { Timers } from '../ports/clock.js'
import type { SpacePeers } from './space-peers.js'

/** Time from the first change to the next acknowledgement and collection. */
export const COLLECT_EVERY_MS = 10 * 60_000

/** Time between two comparisons of all that is shown with what a hub shows. */
export const AUDIT_EVERY_MS = 24 * 3_600_000

/** A program that ends does not wait longer for what can be collected later. */
const CLOSE_MS_MAX = 300

export interface HousekeeperOptions {
  readonly database: SpaceDatabase
  readonly peers: SpacePeers
  readonly timers: Timers
  /** Milliseconds. @default 10 minutes */
  readonly everyMs?: number | undefined
}

/**
 * Acknowledges what has been applied, collects what is dead for everybody, tells the peers, and once a day
 * compares with a hub, some time after something changed. Where nothing changes it does nothing: an idle group falls silent.
 */
export class Housekeeper {
  readonly #options: HousekeeperOptions
  readonly #stopListening: (() => void)[]
  #cancel: (() => void) | undefined
  #running: Promise<void> = Promise.resolve()
  #auditDueMs = 0
  /** It is closed, and what it does then ends at this time (monotonic milliseconds). */
  #closesByMs: number | undefined

  constructor(options: HousekeeperOptions) {
    this.#options = options
    const { database } = options
    this.#stopListening = [database.onChange(() => this.wake()), database.gc.onNews(() => this.wake())]
    this.wake()
  }

  /** Something may have to be said, or collected. */
  wake(): void {
    if (this.#closesByMs !== undefined || this.#cancel) return
    const { timers, everyMs = COLLECT_EVERY_MS } = this.#options
    this.#cancel = timers.after(everyMs, () => {
      this.#cancel = undefined
      // A database that cannot be written to now is asked again.
      this.#running = this.#work().catch(() => this.wake())
    })
  }

  /** A hub shows something else than this side: the next comparison comes soon. */
  auditSoon(): void {
    this.#auditDueMs = 0
    this.wake()
  }

  /** Says what is to be said the next time; a device may never run for as long as it takes. Idempotent. */
  async close(): Promise<void> {
    if (this.#closesByMs !== undefined) return this.#running
    this.#closesByMs = this.#options.timers.monotonicMs() + CLOSE_MS_MAX
    for (const stop of this.#stopListening) stop()
    const isDue = this.#cancel !== undefined
    this.#cancel?.()
    await this.#running
    if (isDue) this.#running = this.#settle().then(noop, noop)
    await this.#running
  }

  async #work(): Promise<void> {
    const isMore = await this.#settle()
    for (const { exchange } of this.#options.peers.all) exchange.tellMembers().catch(noop)
    // Nobody waits for it: it reads everything, and a program may end meanwhile.
    this.#audit().catch(noop)
    if (isMore) this.wake()
  }

  async #audit(): Promise<void> {
    const { peers, timers } = this.#options
    const nowMs = timers.monotonicMs()
    if (nowMs < this.#auditDueMs) return
    for (const { exchange } of peers.all) {
      // One whose connection ends meanwhile is asked the next time.
      if (await exchange.audit().catch(noop)) this.#auditDueMs = nowMs + AUDIT_EVERY_MS
    }
  }

  /** @returns whether there is more to come from this side alone. */
  async #settle(): Promise<boolean> {
    const { database, timers } = this.#options
    const { gc, device } = database
    const isOver = (): boolean => this.#closesByMs !== undefined && timers.monotonicMs() > this.#closesByMs
    const before = await gc.ackOf(device)
    await gc.acknowledge()
    const count = await gc.collect(isOver)
    const after = await gc.ackOf(device)
    const isApplied = vectorAtMost(database.frontier, after?.applied ?? NOTHING)
    const isMember = gc.members.devices.includes(device)
    const hasMoved =
      !vectorAtMost(after?.applied ?? NOTHING, before?.applied ?? NOTHING) ||
      !vectorAtMost(after?.stable ?? NOTHING, before?.stable ?? NOTHING)
    return count > 0 || hasMoved || (isMember && !isApplied)
  }
}

const NOTHING: Vector = new Map()
const noop = (): void => undefined
