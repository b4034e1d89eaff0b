import { join } from 'node:path'
import type { LinkState } from '@tidemark/engine'
import { AccessError } from '@tidemark/protocol'
import { BehaviorSubject, type Subscription } from 'rxjs'
import { recoverProvisional } from './apply/index.js'
import type { ApplyContext } from './apply-context.js'
import { Failures } from './failures.js'
import type { FolderStatus } from './folder-binding.js'
import { type DeleteLimit, exceeds, type Hold } from './holds.js'
import { Absences, hasLeft } from './local/absences.js'
import { auditBelow, auditRows } from './local/audit.js'
import { LargeFiles } from './local/large-files.js'
import { runLocalPass } from './local/local-pass.js'
import { mendOrphans } from './local/orphans.js'
import type { PushContext } from './local/push-context.js'
import { Retries } from './local/retries.js'
import { Unsent } from './local/unsent.js'
import { WantedFiles } from './local/wanted-files.js'
import type { Watcher } from './ports/watcher.js'
import { RemoteSide } from './remote-side.js'
import { mustBeBack, revertLocal } from './revert.js'
import { acceptRoot, checkRoot, type RootCheckOptions } from './root-check.js'
import { type BoundRoot, rootOps } from './rows-store.js'
import type { IgnoreRules } from './scan/ignore-rules.js'
import { NO_LINK, statusOf } from './status.js'
import type { Wakeups } from './wakeups.js'
import type { ExpectedHints } from './watch/expected-hints.js'
import type { Hints } from './watch/hints.js'
import type { RescanSchedule } from './watch/rescan-schedule.js'

export interface FolderLoopOptions {
  readonly push: PushContext
  readonly apply: ApplyContext
  readonly rootCheck: RootCheckOptions
  readonly rules: IgnoreRules
  readonly watcher: Watcher | undefined
  readonly hints: Hints
  readonly expected: ExpectedHints
  readonly wakeups: Wakeups
  readonly schedule: RescanSchedule
  readonly deleteLimit: DeleteLimit
}

/** Names a full scan that was asked for. */
export interface ScanRequest {
  readonly scan: number
  readonly turn: number
}

/**
 * One folder's control loop, one thing at a time: what local changes there are goes out, then what
 * others changed comes in; then it waits for the next reason to look.
 */
export class FolderLoop {
  readonly status$: BehaviorSubject<FolderStatus>
  readonly #absences = new Absences()
  readonly #retries = new Retries()
  readonly #large: LargeFiles
  readonly #wanted: WantedFiles
  readonly #unpushed = new Set<string>()
  readonly #unsent = new Unsent()
  readonly #remote: RemoteSide
  readonly #abort = new AbortController()
  readonly #subscriptions: Subscription[] = []
  #link: LinkState
  #hold: Hold | undefined
  /** A person let the held deletions go. */
  #deletesAccepted = false
  readonly #failures = new Failures()
  #isImported = false
  #isRunning = true
  #turnsBegun = 0
  #turnsEnded = 0
  #scansBegun = 0
  #scansEnded = 0
  #hasScannedOnline = false
  /** When overdue absences were last turned into hints (monotonic milliseconds). */
  #absencesSeenMs = 0
  #wasReadOnly = false
  #running: Promise<void> | undefined

  constructor(private readonly options: FolderLoopOptions) {
    const { push, wakeups } = options
    this.#link = NO_LINK
    this.#remote = new RemoteSide(options)
    this.#large = new LargeFiles({
      space: push.space,
      files: push.files,
      clock: push.clock,
      directory: push.directory,
      onSettled: (path) => this.hint(parentOf(path)),
    })
    this.#wanted = new WantedFiles(push, () => this.#publish())
    this.#subscriptions.push(push.space.link$.subscribe((link) => this.#onLink(link)))
    this.#subscriptions.push(push.space.changed$.subscribe(() => this.#onChanged()))
    this.#subscriptions.push(push.space.wanted$.subscribe(() => this.#wanted.wake()))
    this.status$ = new BehaviorSubject(this.#status())
    options.hints.addFull(wakeups.monotonicMs())
  }

  start(): void {
    this.#running ??= this.#run()
    this.#wanted.wake()
  }

  /** A local directory (relative) may be different. */
  hint(directory: string): void {
    const { hints, wakeups } = this.options
    hints.add(directory, false, wakeups.monotonicMs())
    this.#remote.giveWay()
  }

  /** @returns what `hasLooked` must be asked about this request. */
  hintAll(): ScanRequest {
    const { hints, wakeups } = this.options
    hints.addFull(wakeups.monotonicMs())
    this.#remote.giveWay()
    return { scan: this.#scansBegun + 1, turn: this.#turnsBegun + 1 }
  }

  /** Whether everything was looked at since: scanned, or found to be another folder than the bound one. */
  hasLooked({ scan, turn }: ScanRequest): boolean {
    return this.#scansEnded >= scan || (this.#hold?.kind === 'folder' && this.#turnsEnded >= turn)
  }

  /** What the last turns all ended with; a broken connection is no failure of this folder. */
  get lastingError(): Error | undefined {
    return this.#failures.lasting(this.options.wakeups.monotonicMs())
  }

  /** Changes of others cannot be put on disk, and nothing else is left to do. */
  get isBlocked(): boolean {
    return !this.#failures.error && this.#remote.isStuck && this.options.push.problems.list().length > 0
  }

  async accept(): Promise<void> {
    const hold = this.#hold
    if (!hold && this.#unsent.size > 0) {
      throw new AccessError('FORBIDDEN', 'this device may only read: its changes cannot be sent')
    }
    if (!hold) return
    if (hold.kind === 'folder' && !(await acceptRoot(this.options.rootCheck))) return
    this.#deletesAccepted = true
    this.#release()
  }

  async revert(): Promise<void> {
    const isDropped = await revertLocal({ ...this.options, hold: this.#hold, unsent: this.#unsent })
    if (!isDropped) return
    this.#release()
    if (this.#link.connected) return
    const turn = this.#turnsBegun + 1
    await mustBeBack({
      turns: this.status$,
      hasEnded: () => this.#turnsEnded >= turn,
      problems: () => this.options.push.problems.list(),
      wakeups: this.options.wakeups,
    })
  }

  async close(): Promise<void> {
    if (this.#abort.signal.aborted) return
    this.#abort.abort()
    for (const subscription of this.#subscriptions) subscription.unsubscribe()
    this.#remote.interrupt()
    this.options.wakeups.wake()
    await this.#running
    await this.#large.close()
    await this.#wanted.close()
    await this.#remote.close()
    this.status$.complete()
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort
    let isRecovered = false
    while (!signal.aborted) {
      this.#isRunning = true
      const turn = ++this.#turnsBegun
      this.#failures.began(this.options.wakeups.monotonicMs())
      try {
        const root = await this.#checkRoot()
        if (root && !isRecovered) {
          await recoverProvisional(this.options.apply)
          await mendOrphans(this.options.push)
          if (root.imported) await auditRows(this.options.push)
          isRecovered = true
        }
        if (root) await this.#turn(root)
        this.#failures.succeeded()
      } catch (error) {
        if (signal.aborted) break
        this.#failures.failed(error as Error)
        this.hintAll()
        this.#remote.want()
      }
      this.#isRunning = false
      this.#turnsEnded = turn
      if (signal.aborted) break
      this.status$.next(this.#status())
      await this.#sleep()
    }
  }

  async #checkRoot(): Promise<BoundRoot | undefined> {
    const root = await checkRoot(this.options.rootCheck)
    if ('kind' in root) {
      this.#holdBecause(root)
      return undefined
    }
    if (this.#hold?.kind === 'folder') this.#hold = undefined
    this.#isImported = root.imported
    return root
  }

  async #turn(root: BoundRoot): Promise<void> {
    const { hints, expected, wakeups, push } = this.options
    // What the first scan finds must be compared with what the space holds, not with nothing.
    if (!root.imported && this.#link.configured && !this.#link.everSynced) return
    const nowMs = wakeups.monotonicMs()
    const { due, over } = this.#retries.takeDue(nowMs)
    for (const path of due) hints.add(parentOf(path), false, nowMs)
    for (const path of over) push.problems.set(path, [])
    if (this.options.schedule.isDue(push.clock.nowMs(), nowMs) && !hints.isFull) hints.addFull(nowMs)
    if (this.#hold?.kind !== 'deletes') {
      this.#absencesSeenMs = nowMs
      for (const directory of this.#absences.directoriesDue(nowMs)) {
        if (hints.has(directory)) continue
        // Moved or removed since by a remote pass: what was missed there must be looked for elsewhere.
        if (hasLeft(push.files, join(push.directory, directory))) hints.addFull(nowMs)
        else hints.add(directory, false, nowMs)
      }
    }
    for (const directory of expected.due(nowMs)) hints.add(directory, false, nowMs)
    // Hints name paths: they are used up before others' moves give paths another meaning.
    let failure: unknown
    let mustLookFirst = false
    if (hints.dueInMs(nowMs) === 0 || (this.#remote.isDue && !hints.isEmpty)) {
      try {
        mustLookFirst = await this.#local(root)
      } catch (error) {
        // What others changed still comes in: but never before the rules that hide things are known.
        if (this.#scansEnded === 0 || this.#abort.signal.aborted) throw error
        failure = error
      }
    }
    if (!failure) await this.#endImport(root)
    if (!mustLookFirst && this.#remote.isDue) await this.#remote.pass(this.#abort.signal)
    await this.#remote.takeStock()
    if (failure) throw failure
  }

  /** @returns whether the next local pass must come before changes of others. */
  async #local(root: BoundRoot): Promise<boolean> {
    const { hints, wakeups, push, rules, watcher, schedule } = this.options
    const taken = hints.take()
    // Each was hinted when it settled: this pass takes it, or nobody will.
    const settled = this.#large.settled
    const scan = taken.isFull ? ++this.#scansBegun : undefined
    const isOffline = this.#link.configured && !this.#link.connected
    const isAccepted = this.#deletesAccepted
    let isRefused = false
    let isRowless = false
    this.status$.next(this.#status())
    try {
      const result = await runLocalPass({
        context: push,
        large: this.#large,
        retries: this.#retries,
        isImport: !root.imported,
        signal: this.#abort.signal,
        hints: taken,
        rules,
        watcher,
        root,
        absences: this.#absences,
        monotonicMs: () => wakeups.monotonicMs(),
        isOffline,
        unsent: this.#isReadOnly ? this.#unsent : undefined,
        mayDelete: async (count) => {
          // Where nothing is sent nothing is deleted elsewhere.
          if (isAccepted || this.#isReadOnly || (await this.#mayDelete(count))) return true
          isRefused = true
          return false
        },
      })
      if (!isOffline) this.#large.forget(settled)
      for (const [directory, isDeep] of result.again) hints.add(directory, isDeep, wakeups.monotonicMs())
      isRowless = result.isRowless
      for (const directory of result.unpushed) this.#unpushed.add(directory)
      // What was hidden until now has no file: nobody would ask for it. Before the first scan the start did.
      if (this.#scansEnded > 0) for (const key of result.rulesChanged) await auditBelow(push, key)
      // The hub came while the pass ran: its own event found nothing to push yet.
      if (isOffline && this.#link.connected) this.#hintUnpushed()
    } catch (error) {
      hints.restore(taken, wakeups.monotonicMs())
      throw error
    }
    this.#remote.want()
    if (isAccepted && this.#absences.size === 0) this.#deletesAccepted = false
    if (scan === undefined) return isRowless
    this.#scansEnded = scan
    schedule.scanned(wakeups.monotonicMs())
    push.onEvent({ type: 'scan', path: '', detail: 'full scan ended' })
    // The files may be back.
    if (!isRefused && !isOffline && this.#hold?.kind === 'deletes') this.#hold = undefined
    if (!isOffline) this.#hasScannedOnline = true
    return isRowless
  }

  /** From now on a missing file is a deletion, and a new one is new. */
  async #endImport(root: BoundRoot): Promise<void> {
    if (root.imported || !this.#hasScannedOnline || this.#large.pending > 0) return
    await this.options.push.space.writeRows(rootOps({ ...root, imported: true }), { sync: true })
    this.#isImported = true
  }

  async #mayDelete(count: number): Promise<boolean> {
    const { deleteLimit, push } = this.options
    if (count <= deleteLimit.count) return true
    const entries = await push.rows.count()
    if (!exceeds(deleteLimit, count, entries)) return true
    const reason = `${count} of ${entries} entries were deleted here: accept to delete them everywhere, or revert`
    this.#holdBecause({ kind: 'deletes', reason, deletes: count, entries })
    return false
  }

  #holdBecause(hold: Hold): void {
    if (this.#hold?.reason !== hold.reason) {
      this.options.push.onEvent({ type: 'held', path: '', detail: hold.reason })
    }
    this.#hold = hold
  }

  #release(): void {
    this.#hold = undefined
    // After `revert` nothing is absent; after `accept` it is overdue as it was.
    if (!this.#deletesAccepted) this.#absences.clear()
    this.#remote.want()
    this.hintAll()
    this.status$.next(this.#status())
  }

  get #isReadOnly(): boolean {
    return this.#link.connected && this.#link.readOnly
  }

  #onLink(link: LinkState): void {
    const before = this.#link
    this.#link = link
    if (link.connected && !before.connected) {
      this.#remote.resume()
      this.#hintUnpushed()
    }
    // It would wait for bytes: the next one does what can be done without.
    if (!link.connected && before.connected) this.#remote.interrupt()
    // The right to write came, or went: what is different here is looked at with other eyes.
    if (link.connected && link.readOnly !== this.#wasReadOnly) {
      this.#wasReadOnly = link.readOnly
      this.#unsent.clear()
      this.hintAll()
    }
    this.options.wakeups.wake()
  }

  #onChanged(): void {
    this.#remote.want()
    this.options.wakeups.wake()
  }

  /** Everything: the directories may have been moved by others since they were looked at. */
  #hintUnpushed(): void {
    const { hints, wakeups } = this.options
    if (this.#unpushed.size > 0) hints.addFull(wakeups.monotonicMs())
    this.#unpushed.clear()
  }

  async #sleep(): Promise<void> {
    const { wakeups } = this.options
    if (!this.#failures.error) return wakeups.sleep(this.#sleepMs())
    // After a failure no event shortens the wait: what caused it may cause events too.
    const untilMs = wakeups.monotonicMs() + this.#failures.delayMs
    while (!this.#abort.signal.aborted && wakeups.monotonicMs() < untilMs) {
      await wakeups.sleep(untilMs - wakeups.monotonicMs())
    }
  }

  #sleepMs(): number {
    const { hints, expected, wakeups } = this.options
    const nowMs = wakeups.monotonicMs()
    if (this.#hold?.kind === 'folder') return 5_000
    const waits = [60_000]
    const add = (ms: number | undefined) => ms !== undefined && waits.push(Math.max(0, ms))
    const canScan = this.#isImported || !this.#link.configured || this.#link.everSynced
    if (!canScan) return 60_000
    add(hints.dueInMs(nowMs))
    add(expected.dueInMs(nowMs))
    add(this.#remote.dueInMs)
    add(this.options.schedule.dueInMs(nowMs))
    const retryMs = this.#retries.nextMs
    if (retryMs !== undefined) add(retryMs - nowMs)
    const absentMs = this.#absences.nextAfter(this.#absencesSeenMs)
    // What was overdue at the last look has been hinted; it may have become so since.
    if (absentMs !== undefined && !this.#hold) add(absentMs - nowMs)
    return Math.min(...waits)
  }

  /** Between turns; a turn publishes itself. */
  #publish(): void {
    if (!this.#isRunning && !this.#abort.signal.aborted) this.status$.next(this.#status())
  }

  #status(): FolderStatus {
    const { hints, expected, push } = this.options
    return statusOf({
      link: this.#link,
      hold: this.#hold,
      error: this.#failures.error,
      isRunning: this.#isRunning,
      isImported: this.#isImported,
      local: {
        hinted: hints.size + (expected.hasLate ? 1 : 0),
        changing: this.#retries.changing,
        uploading: this.#large.pending,
        wanted: this.#wanted.isBusy ? 1 : 0,
        absent: this.#absences.size,
        unpushed: this.#unpushed.size,
      },
      unsent: this.#unsent.list(),
      isReceiving: this.#remote.isReceiving,
      remotePending: this.#remote.pending,
      isRemoteBlocked: this.isBlocked,
      problems: [...push.problems.list(), ...this.#unsent.problems()],
      transfer: this.#large.progress,
    })
  }
}

const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')))
