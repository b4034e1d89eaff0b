import { join } from 'node:path'
import type { LinkState } from '@tidemark/engine'
import { DeleteGuard } from './delete-guard.js'
import type { HoldState } from './hold-state.js'
import type { DeleteLimit } from './holds.js'
import { Absences, hasLeft } from './local/absences.js'
import { auditBelow } from './local/audit.js'
import { deletionsOf } from './local/deletions.js'
import type { Deletion } from './local/item.js'
import { LargeFiles } from './local/large-files.js'
import { type LocalPassResult, runLocalPass, type UnderWay } from './local/local-pass.js'
import type { PushContext } from './local/push-context.js'
import { Retries } from './local/retries.js'
import { Rounds } from './local/rounds.js'
import { Unsent } from './local/unsent.js'
import { parentOf } from './parent-of.js'
import type { Watcher } from './ports/watcher.js'
import { type BoundRoot, rootOps } from './rows-store.js'
import type { IgnoreRules } from './scan/ignore-rules.js'
import { isOffline, type LocalPending } from './status.js'
import type { Wakeups } from './wakeups.js'
import type { ExpectedHints } from './watch/expected-hints.js'
import type { HintSet, Hints } from './watch/hints.js'
import type { RescanSchedule } from './watch/rescan-schedule.js'

export interface LocalSideOptions {
  readonly push: PushContext
  readonly rules: IgnoreRules
  readonly watcher: Watcher | undefined
  readonly hints: Hints
  readonly expected: ExpectedHints
  readonly wakeups: Wakeups
  readonly schedule: RescanSchedule
  readonly deleteLimit: DeleteLimit
}

/**
 * The half of a folder's loop that finds what changed on this disk and sends it: when to look where, what
 * is missing, being written or on its way, and what waits for the hub or for a person.
 */
export class LocalSide {
  readonly #absences = new Absences()
  /** What may have been moved, from a place that does not answer. */
  readonly #unclear = new Absences()
  readonly #retries = new Retries()
  readonly #rounds = new Rounds()
  readonly #large: LargeFiles
  /** Directories with changes that wait for the hub. */
  readonly #unpushed = new Set<string>()
  readonly #unsent = new Unsent()
  readonly #deletes: DeleteGuard
  #scansBegun = 0
  #scansEnded = 0
  #hasScannedOnline = false
  /** When overdue absences were last turned into hints (monotonic milliseconds). */
  #absencesSeenMs = 0

  constructor(
    private readonly options: LocalSideOptions,
    private readonly around: {
      readonly hold: HoldState
      readonly link: () => LinkState
      /** See `LocalPassOptions.underWay`. */
      readonly underWay: () => Promise<UnderWay>
      /** A pass has begun: what was hinted is being looked at. */
      readonly onBegun: () => void
      /** A large file settled: its directory (relative) is worth a look. */
      readonly onSettled: (directory: string) => void
    },
  ) {
    const { push, hints, wakeups } = options
    this.#large = new LargeFiles({
      space: push.space,
      files: push.files,
      clock: push.clock,
      directory: push.directory,
      onSettled: (path) => around.onSettled(parentOf(path)),
    })
    this.#deletes = new DeleteGuard({
      limit: options.deleteLimit,
      rows: push.rows,
      space: push.space,
      hold: around.hold,
      monotonicMs: () => wakeups.monotonicMs(),
    })
    hints.addFull(wakeups.monotonicMs())
  }

  /** Number of the full scan that a request made now waits for. */
  get nextScan(): number {
    return this.#scansBegun + 1
  }

  get scansEnded(): number {
    return this.#scansEnded
  }

  /** Changes that are not sent because this device may only read. */
  get unsent(): Unsent {
    return this.#unsent
  }

  /** Of what is missing, and may turn up elsewhere, what was not noted: with all below. */
  async missing(): Promise<readonly Deletion[]> {
    const { push, rules } = this.options
    const noted = new Set(this.#unsent.list().flatMap((item) => ('row' in item ? [item.row.key] : [])))
    const keys = this.#absences
      .from(() => true)
      .filter((key) => !noted.has(key) && !this.#absences.wasFound(key))
    const gone = (await push.rows.getMany(keys)).filter((row) => row !== undefined)
    return deletionsOf(gone, { context: push, rules, except: noted, isDisplaced: false })
  }

  get transfer(): { doneBytes: number; totalBytes: number } {
    return this.#large.progress
  }

  get pending(): Omit<LocalPending, 'wanted'> {
    const { hints, expected } = this.options
    // What a refusal holds up is no work that would end by itself: the refusal is a problem by name.
    const heldUp = this.#retries.isStuck ? 0 : this.#rounds.waiting
    return {
      hinted: hints.size + heldUp + (expected.hasLate ? 1 : 0),
      changing: this.#retries.changing,
      uploading: this.#large.pending,
      absent: this.#absences.size,
      unpushed: this.#unpushed.size,
    }
  }

  /** Turns what has become due by now into hints. */
  hintDue(): void {
    const { hints, expected, schedule, push, wakeups } = this.options
    const nowMs = wakeups.monotonicMs()
    const { due, over } = this.#retries.takeDue(nowMs)
    for (const path of due) hints.add(parentOf(path), false, nowMs)
    for (const path of over) push.problems.set(path, [])
    for (const [directory, isDeep] of this.#rounds.takeDue(nowMs)) hints.add(directory, isDeep, nowMs)
    if (schedule.isDue(push.clock.nowMs(), nowMs) && !hints.isFull) hints.addFull(nowMs)
    // What is held was looked at: only what has become overdue since is news.
    const isHeld = this.around.hold.current?.kind === 'deletes'
    const nextMs = this.#absences.nextAfter(this.#absencesSeenMs)
    if (!isHeld || (nextMs !== undefined && nextMs <= nowMs)) this.#hintAbsences(nowMs)
    for (const directory of expected.due(nowMs)) hints.add(directory, false, nowMs)
  }

  /** Everything: the directories may have been moved by others since they were looked at. */
  hintUnpushed(): void {
    const { hints, wakeups } = this.options
    if (this.#unpushed.size > 0) hints.addFull(wakeups.monotonicMs())
    this.#unpushed.clear()
  }

  /**
   * A person decided about deletions that were held.
   * @param isDropped Nothing is missing any more; else it is overdue as it was.
   */
  async decided(isDropped: boolean): Promise<void> {
    if (isDropped) this.#absences.clear()
    await this.#deletes.forget()
  }

  /** Milliseconds until there is a reason to look; infinite when nothing is expected. */
  dueInMs(nowMs: number): number {
    const { hints, expected, schedule } = this.options
    const waits: number[] = []
    const add = (ms: number | undefined) => ms !== undefined && waits.push(Math.max(0, ms))
    // A scan that is due was hinted, and waits for its time among the hints.
    if (!hints.isFull) add(schedule.dueInMs(nowMs))
    add(hints.dueInMs(nowMs))
    add(expected.dueInMs(nowMs))
    const retryMs = this.#retries.nextMs
    if (retryMs !== undefined) add(retryMs - nowMs)
    const roundMs = this.#rounds.nextMs
    if (roundMs !== undefined) add(roundMs - nowMs)
    const absentMs = this.#absences.nextAfter(this.#absencesSeenMs)
    // What was overdue at the last look has been hinted; it may have become so since.
    if (absentMs !== undefined) add(absentMs - nowMs)
    return Math.min(...waits)
  }

  /** The folder is imported once more. */
  importAgain(): void {
    const { hints, wakeups } = this.options
    this.#hasScannedOnline = false
    this.#absences.clear()
    hints.addFull(wakeups.monotonicMs())
  }

  /** A pass that sends nothing: the rules that hide things are known after it. */
  async look(root: BoundRoot, signal: AbortSignal): Promise<void> {
    await this.pass(root, signal, true)
  }

  /**
   * One pass over what is hinted.
   * @param isLook Nothing is sent.
   * @returns whether the next one must come before changes of others.
   */
  async pass(root: BoundRoot, signal: AbortSignal, isLook = false): Promise<boolean> {
    const { hints, wakeups, schedule, push, rules, watcher } = this.options
    const { hold, onBegun } = this.around
    const taken = hints.take()
    // Each was hinted when it settled: this pass takes it, or nobody will.
    const settled = this.#large.settled
    const scan = taken.isFull ? ++this.#scansBegun : undefined
    const isOffline = isLook || this.#isOffline
    const { deletesAccepted } = hold
    const wasMissing = this.#absences.size > 0
    let isRefused = false
    let result: LocalPassResult
    onBegun()
    try {
      result = await runLocalPass({
        context: push,
        large: this.#large,
        retries: this.#retries,
        isImport: !root.imported,
        signal,
        hints: taken,
        rules,
        watcher,
        root,
        absences: this.#absences,
        unclear: this.#unclear,
        monotonicMs: () => wakeups.monotonicMs(),
        isOffline,
        underWay: await this.around.underWay(),
        unsent: this.#isReadOnly ? this.#unsent : undefined,
        isHeld: hold.current?.kind === 'deletes',
        mayDelete: async (items) => {
          // Where nothing is sent nothing is deleted elsewhere.
          if (deletesAccepted || this.#isReadOnly) return true
          // What rules hide is gone here alone.
          const lost = items.filter(({ isIgnored }) => !isIgnored)
          if (!this.#isPartOfHeld(items) && (await this.#deletes.mayDelete(lost))) return true
          isRefused = true
          return false
        },
        onCommitted: (items) => {
          // What an import finds was there before.
          if (!deletesAccepted && root.imported) this.#deletes.committed(items)
        },
      })
      this.#unsent.settle()
      if (!isOffline) this.#large.forget(settled)
      await this.#ended(result, taken, isOffline)
    } catch (error) {
      hints.restore(taken, wakeups.monotonicMs())
      throw error
    }
    if (deletesAccepted && this.#absences.size === 0) hold.deletesAccepted = false
    if (scan === undefined) {
      if (wasMissing && this.#absences.size === 0) await this.#nothingMissing()
      return result.isRowless
    }
    this.#scansEnded = scan
    schedule.scanned(wakeups.monotonicMs())
    push.onEvent({ type: 'scan', path: '', detail: 'full scan ended' })
    // The files may be back.
    if (!isRefused && !isOffline && !this.#absences.hasOverdueBut(new Set(), wakeups.monotonicMs())) {
      hold.end('deletes')
      if (this.#absences.size === 0) await this.#deletes.isBack()
    }
    if (!isOffline) this.#hasScannedOnline = true
    return result.isRowless
  }

  /**
   * Once all was looked at, from then on a missing file is a deletion, and a new one is new.
   * @returns whether it is so.
   */
  async endImport(root: BoundRoot): Promise<boolean> {
    if (root.imported) return true
    if (!this.#hasScannedOnline || this.#large.pending > 0) return false
    await this.options.push.space.writeRows(rootOps({ ...root, imported: true }), { sync: true })
    return true
  }

  /** Ends what runs. */
  close(): Promise<void> {
    return this.#large.close()
  }

  /** A pass that did not see all that is held may find few enough of it; what has its place taken is seen at once. */
  #isPartOfHeld(items: readonly Deletion[]): boolean {
    if (this.around.hold.current?.kind !== 'deletes' || items.some(({ isDisplaced }) => isDisplaced))
      return false
    const seen = new Set(items.map(({ top }) => top.row.key))
    return this.#absences.hasOverdueBut(seen, this.options.wakeups.monotonicMs())
  }

  /** What was held counts with what is deleted later: not longer than it must. */
  async #nothingMissing(): Promise<void> {
    const { hints, wakeups } = this.options
    // Things may be held of which another has the place: only a look at everything ends it.
    if (this.around.hold.current?.kind === 'deletes') hints.addFull(wakeups.monotonicMs())
    else await this.#deletes.isBack()
  }

  async #ended(
    { again, unpushed, rulesChanged }: LocalPassResult,
    taken: HintSet,
    wasOffline: boolean,
  ): Promise<void> {
    const { hints, wakeups, push, rules } = this.options
    const nowMs = wakeups.monotonicMs()
    for (const [directory, isDeep] of this.#rounds.ended(again, taken, nowMs))
      hints.add(directory, isDeep, nowMs)
    for (const directory of unpushed) this.#unpushed.add(directory)
    // What was hidden until now has no file: nobody would ask for it. Before the first scan the start did.
    for (const { path, key } of rulesChanged) {
      if (this.#scansEnded > 0 && key !== undefined) await auditBelow(push, key)
      rules.takenOver(path)
    }
    // The hub came while the pass ran: its own event found nothing to push yet.
    if (wasOffline && !this.#isOffline) this.hintUnpushed()
  }

  #hintAbsences(nowMs: number): void {
    const { hints, push } = this.options
    this.#absencesSeenMs = nowMs
    for (const directory of this.#absences.directoriesDue(nowMs)) {
      if (hints.has(directory)) continue
      // Moved or removed since by a remote pass: what was missed there must be looked for elsewhere.
      if (hasLeft(push.files, join(push.directory, directory))) hints.addFull(nowMs)
      else hints.add(directory, false, nowMs)
    }
  }

  get #isOffline(): boolean {
    return isOffline(this.around.link())
  }

  get #isReadOnly(): boolean {
    const { connected, readOnly } = this.around.link()
    return connected && readOnly
  }
}
