import type { LinkState } from '@tidemark/engine'
import { AccessError, RESERVED_NAME } from '@tidemark/protocol'
import { BehaviorSubject, type Subscription } from 'rxjs'
import { recover, settleUnderWay, Unsettled } from './apply/index.js'
import { BetweenTurns } from './between-turns.js'
import { Failures } from './failures.js'
import type { FolderStatus } from './folder-binding.js'
import { HoldState } from './hold-state.js'
import { mendHome } from './home.js'
import { auditRows } from './local/audit.js'
import { mendCrossed } from './local/crossed.js'
import { mendOrphans } from './local/orphans.js'
import { settleRows } from './local/settle-rows.js'
import { WantedFiles } from './local/wanted-files.js'
import { LocalSide, type LocalSideOptions } from './local-side.js'
import { RemoteSide, type RemoteSideOptions } from './remote-side.js'
import { mustBeBack, revertLocal } from './revert.js'
import { acceptRoot, checkRoot, type RootCheckOptions } from './root-check.js'
import type { Problem } from './rows.js'
import type { BoundRoot } from './rows-store.js'
import { isOffline, isSent, NO_LINK, statusOf } from './status.js'

/** The longest sleep. */
const SLEEP_MS_MAX = 60_000
/** How often a folder that is not the bound one is looked at. */
const HELD_LOOK_MS = 5_000
/** Source of the problems of what could not be reverted. */
const REVERT = '/revert'

export interface FolderLoopOptions extends LocalSideOptions, RemoteSideOptions {
  readonly rootCheck: RootCheckOptions
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
  readonly #wanted: WantedFiles
  readonly #local: LocalSide
  readonly #remote: RemoteSide
  readonly #hold: HoldState
  readonly #abort = new AbortController()
  /** What persons decide. */
  readonly #decisions = new BetweenTurns()
  /** Breaks off the turn that runs. */
  #stop = new AbortController()
  readonly #subscriptions: Subscription[] = []
  #link: LinkState
  readonly #failures = new Failures()
  #isImported = false
  #isRunning = true
  #turnsBegun = 0
  #turnsEnded = 0
  #wasReadOnly = false
  #isRecovered = false
  /** The next turn begins with what others changed. */
  #isRemoteFirst = false
  /** Things may be half done: see `#recover`. */
  #mustSettle = true
  #running: Promise<void> | undefined

  constructor(private readonly options: FolderLoopOptions) {
    const { push } = options
    this.#link = NO_LINK
    this.#hold = new HoldState(push.onEvent)
    this.#remote = new RemoteSide(options)
    this.#local = new LocalSide(options, {
      hold: this.#hold,
      link: () => this.#link,
      underWay: () => Unsettled.read(options.apply),
      onBegun: () => this.status$.next(this.#status()),
      onSettled: (directory) => this.hint(directory),
    })
    const { wakeups } = options
    this.#wanted = new WantedFiles(
      push,
      options.apply.trash,
      () => wakeups.monotonicMs(),
      () => {
        this.#publish()
        wakeups.wake()
      },
    )
    this.#subscriptions.push(push.space.link$.subscribe((link) => this.#onLink(link)))
    this.#subscriptions.push(push.space.changed$.subscribe(() => this.#onChanged()))
    this.#subscriptions.push(push.space.wanted$.subscribe(() => this.#wanted.wake()))
    this.#subscriptions.push(
      push.space.hints$.subscribe((hint) => {
        // Nothing is written to a folder that may be another one.
        if (this.#hold.current?.kind !== 'folder') this.#remote.hint(hint)
      }),
    )
    this.status$ = new BehaviorSubject(this.#status())
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
    return { scan: this.#local.nextScan, turn: this.#turnsBegun + 1 }
  }

  /** Somebody asks for it: what the hub refused is sent once more, too. */
  tryAgain(): void {
    this.options.push.refused.clear()
    this.hintAll()
    this.#remote.want()
  }

  /** Whether everything was looked at since: scanned, or found to be another folder than the bound one. */
  hasLooked({ scan, turn }: ScanRequest): boolean {
    return (
      this.#local.scansEnded >= scan || (this.#hold.current?.kind === 'folder' && this.#turnsEnded >= turn)
    )
  }

  /** What the last turns all ended with; a broken connection is no failure of this folder. */
  get lastingError(): Error | undefined {
    return this.#failures.lasting(this.options.wakeups.monotonicMs())
  }

  /** Changes of others cannot be put on disk, and nothing else is left to do. */
  get isBlocked(): boolean {
    return !this.#failures.error && this.#remote.isStuck && this.options.push.problems.list().length > 0
  }

  accept(): Promise<void> {
    return this.#decide(async () => {
      const hold = this.#hold.current
      if (!hold && this.#local.unsent.size > 0) {
        throw new AccessError('FORBIDDEN', 'this device may only read: its changes cannot be sent')
      }
      if (!hold) return
      if (hold.kind === 'folder' && !(await acceptRoot(this.options.rootCheck))) return
      await this.#local.decided(false)
      this.#hold.deletesAccepted = true
      this.#release()
    })
  }

  async revert(): Promise<readonly Problem[]> {
    const { isReleased, problems, turn } = await this.#decide(async () => {
      const { push } = this.options
      const { unsent } = this.#local
      const reverted = await revertLocal({
        ...this.options,
        hold: this.#hold.current,
        unsent,
        missing: () => this.#local.missing(),
      })
      push.problems.set(REVERT, reverted.problems)
      try {
        if (reverted.isReleased) await this.#local.decided(true)
      } finally {
        // It is done: what comes back is waited for, whatever could not be noted.
        if (reverted.isReleased) this.#release()
      }
      return { ...reverted, turn: this.#turnsBegun + 1 }
    })
    if (!isReleased || this.#link.connected) return problems
    await mustBeBack({
      turns: this.status$,
      hasEnded: () => this.#turnsEnded >= turn,
      problems: () => this.options.push.problems.list(),
      wakeups: this.options.wakeups,
    })
    return problems
  }

  /** A turn that runs is broken off: it may wait for the hub for long. */
  #decide<T>(act: () => Promise<T>): Promise<T> {
    const decided = this.#decisions.add(act)
    this.#stop.abort()
    this.#remote.interrupt()
    this.options.wakeups.wake()
    return decided
  }

  async close(): Promise<void> {
    if (this.#abort.signal.aborted) return
    this.#abort.abort()
    this.#stop.abort()
    for (const subscription of this.#subscriptions) subscription.unsubscribe()
    this.#remote.interrupt()
    this.options.wakeups.wake()
    await this.#running
    this.#decisions.close()
    await this.#local.close()
    await this.#wanted.close()
    await this.#remote.close()
    this.status$.complete()
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort
    while (!signal.aborted) {
      if (!this.#decisions.isEmpty) {
        await this.#decisions.runNext()
        continue
      }
      const stop = new AbortController()
      this.#stop = stop
      this.#isRunning = true
      const turn = ++this.#turnsBegun
      this.#failures.began(this.options.wakeups.monotonicMs())
      try {
        const root = await this.#checkRoot()
        if (root && !this.#isPaused) await this.#turn(await this.#recover(root), stop.signal)
        this.#failures.succeeded()
      } catch (error) {
        if (signal.aborted) break
        if (!stop.signal.aborted) this.#failures.failed(error as Error)
        this.#mustSettle = true
        this.hintAll()
        this.#remote.want()
      }
      this.#isRunning = false
      this.#turnsEnded = turn
      // Nothing waits for a person any more.
      if (!this.#hold.current && this.#local.unsent.size === 0) this.options.push.problems.set(REVERT, [])
      if (signal.aborted) break
      this.status$.next(this.#status())
      await this.#sleep()
    }
  }

  /** Before anything is looked at, what an earlier run, or a turn that failed, has left half done is settled. */
  async #recover(root: BoundRoot): Promise<BoundRoot> {
    const { apply, push } = this.options
    const hasBegunAnew = push.space.begunAnew.phase === 'here'
    if (!this.#mustSettle && !hasBegunAnew) return root
    const settle = this.#isRecovered ? settleUnderWay : recover
    const problems = await settle(apply)
    push.problems.set('/recovery', problems)
    // Scans have left out what was under way.
    if (this.#mustSettle && problems.length === 0) this.hintAll()
    this.#mustSettle = problems.length > 0
    const now = hasBegunAnew ? await this.#importAgain(root) : root
    if (this.#isRecovered) return now
    await mendCrossed(push)
    await mendOrphans(push)
    if (now.imported) await auditRows(push)
    this.#isRecovered = true
    return now
  }

  async #importAgain(root: BoundRoot): Promise<BoundRoot> {
    const { push } = this.options
    const again = await settleRows(push, root)
    push.onEvent({
      type: 'scan',
      path: '',
      detail: 'away for too long: everything is compared with the hub anew',
    })
    this.#isImported = false
    this.#isRemoteFirst = true
    this.#local.importAgain()
    this.#remote.wantAll()
    return again
  }

  /** What the space shows is not what it was: an empty tree is no wish to delete. */
  get #isPaused(): boolean {
    return this.options.push.space.begunAnew.phase === 'awaited'
  }

  async #checkRoot(): Promise<BoundRoot | undefined> {
    const root = await checkRoot(this.options.rootCheck)
    if ('kind' in root) {
      this.#hold.because(root)
      return undefined
    }
    this.#hold.end('folder')
    this.#isImported = root.imported
    const { push, rootCheck } = this.options
    push.problems.set(RESERVED_NAME, mendHome(rootCheck.files, rootCheck.home))
    return root
  }

  async #turn(root: BoundRoot, signal: AbortSignal): Promise<void> {
    const { hints, wakeups } = this.options
    // While there is no hub nothing is stored, and the next one asks anew.
    if (this.#storesInMs() === 0) this.#wanted.wake()
    // What the first scan finds must be compared with what the space holds, not with nothing.
    if (!root.imported && this.#link.configured && !this.#link.everSynced) return
    // What others deleted while this device was away goes first: what is new beside it would bring it back.
    if (this.#isRemoteFirst) {
      await this.#local.look(root, signal)
      if (!(await this.#passRemote(signal))) return
      this.#isRemoteFirst = false
      this.hintAll()
      if (this.#mustSettle) return
    }
    this.#local.hintDue()
    // Hints name paths: they are used up before others' moves give paths another meaning.
    let failure: unknown
    let mustLookFirst = false
    if (hints.dueInMs(wakeups.monotonicMs()) === 0 || (this.#remote.isDue && !hints.isEmpty)) {
      try {
        mustLookFirst = await this.#local.pass(root, signal)
        this.#remote.want()
      } catch (error) {
        // What others changed still comes in: but never before the rules that hide things are known.
        if (this.#local.scansEnded === 0 || signal.aborted) throw error
        failure = error
      }
    }
    if (!failure) this.#isImported = await this.#local.endImport(root)
    if (!mustLookFirst && this.#remote.isDue) await this.#passRemote(signal)
    await this.#remote.takeStock(!this.#mustSettle)
    if (failure) throw failure
  }

  async #passRemote(signal: AbortSignal): Promise<boolean> {
    const isDone = await this.#remote.pass(signal)
    // What was moved aside, and could not be put back, would be missing at the next look.
    if ((await Unsettled.read(this.options.apply)).keys.size > 0) this.#mustSettle = true
    return isDone
  }

  #release(): void {
    this.#hold.release()
    this.#remote.wantAll()
    this.hintAll()
    this.status$.next(this.#status())
  }

  #onLink(link: LinkState): void {
    const before = this.#link
    this.#link = link
    if (link.connected && !before.connected) this.#remote.resume()
    if (isSent(link) && !isSent(before)) this.#remote.sent()
    if (isOffline(before) && !isOffline(link)) this.#local.hintUnpushed()
    // It would wait for bytes: the next one does what can be done without.
    if (!link.connected && before.connected) this.#remote.interrupt()
    // The right to write came, or went: what is different here is looked at with other eyes.
    if (link.connected && link.readOnly !== this.#wasReadOnly) {
      this.#wasReadOnly = link.readOnly
      this.#local.unsent.clear()
      this.hintAll()
    }
    this.options.wakeups.wake()
  }

  #onChanged(): void {
    this.#remote.wantAll()
    this.options.wakeups.wake()
  }

  async #sleep(): Promise<void> {
    const { wakeups } = this.options
    if (!this.#failures.error) return wakeups.sleep(this.#sleepMs())
    // After a failure no event shortens the wait: what caused it may cause events too.
    const untilMs = wakeups.monotonicMs() + this.#failures.delayMs
    const mustGoOn = () => this.#abort.signal.aborted || !this.#decisions.isEmpty
    while (!mustGoOn() && wakeups.monotonicMs() < untilMs) {
      await wakeups.sleep(untilMs - wakeups.monotonicMs())
    }
  }

  #sleepMs(): number {
    const nowMs = this.options.wakeups.monotonicMs()
    if (this.#hold.current?.kind === 'folder') return HELD_LOOK_MS
    const canScan = this.#isImported || !this.#link.configured || this.#link.everSynced
    if (!canScan || this.#isPaused) return SLEEP_MS_MAX
    return Math.min(
      SLEEP_MS_MAX,
      this.#storesInMs() ?? SLEEP_MS_MAX,
      this.#local.dueInMs(nowMs),
      this.#remote.dueInMs ?? SLEEP_MS_MAX,
    )
  }

  /** Until what the hub lacks is offered again; a reader stores nothing. */
  #storesInMs(): number | undefined {
    const { connected, readOnly } = this.#link
    return connected && !readOnly ? this.#wanted.dueInMs() : undefined
  }

  /** Between turns; a turn publishes itself. */
  #publish(): void {
    if (!this.#isRunning && !this.#abort.signal.aborted) this.status$.next(this.#status())
  }

  #status(): FolderStatus {
    const { unsent } = this.#local
    const { push } = this.options
    return statusOf({
      link: this.#link,
      hold: this.#hold.current,
      error: this.#failures.error,
      isRunning: this.#isRunning,
      isImported: this.#isImported,
      isPaused: this.#isPaused,
      local: { ...this.#local.pending, wanted: this.#wanted.isBusy ? 1 : 0 },
      unsent: unsent.list(),
      isReceiving: this.#remote.isReceiving,
      remotePending: this.#remote.pending,
      isRemoteBlocked: this.isBlocked,
      problems: [...push.problems.list(), ...push.refused.problems(), ...unsent.problems()],
      transfer: this.#local.transfer,
    })
  }
}
