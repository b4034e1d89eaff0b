import type { EntryKey, UploadHint } from '@tidemark/engine'
import {
  type Applied,
  applyRemote,
  Downloads,
  EarlyDownloads,
  PartPruning,
  TrashPruning,
} from './apply/index.js'
import type { ApplyContext } from './apply-context.js'
import { mendOrphans } from './local/orphans.js'
import type { PushContext } from './local/push-context.js'
import { RemotePace } from './remote-pace.js'
import type { Wakeups } from './wakeups.js'
import type { ExpectedHints } from './watch/expected-hints.js'
import type { Hints } from './watch/hints.js'

/** Entries that are counted as pending; more are "many". */
const DIRTY_COUNTED_MAX = 1_000
/** Passes may follow each other closely: so long it takes until they ask again for what could not be fetched. */
const DOWNLOAD_RETRY_MS = 1_000

export interface RemoteSideOptions {
  readonly push: PushContext
  readonly apply: ApplyContext
  readonly hints: Hints
  readonly expected: ExpectedHints
  readonly wakeups: Wakeups
}

/**
 * The half of a folder's loop that puts on disk what others changed: when a pass is due, what breaks it
 * off, what it leaves to be looked at again, and what is still to come.
 */
export class RemoteSide {
  readonly #downloads: Downloads
  readonly #early: EarlyDownloads
  readonly #pace = new RemotePace()
  readonly #pruning: TrashPruning
  readonly #partPruning: PartPruning
  #isWanted = true
  /** When downloads that failed are tried again, if a pass is made; 0: at the next one. */
  #retryAtMs = 0
  #notOnDisk = 0
  /** What stays different from the space until a person acts. */
  #kept: ReadonlySet<EntryKey> = new Set()
  #awaitsHub = false
  /** Breaks off the pass that runs. */
  #stop: AbortController | undefined
  /** Local changes wait: the pass ends soon. */
  #isStopping = false

  constructor(private readonly options: RemoteSideOptions) {
    const { apply, wakeups } = options
    this.#early = new EarlyDownloads(apply, () => wakeups.monotonicMs())
    this.#downloads = new Downloads(() => {
      this.want()
      wakeups.wake()
    }, this.#early)
    this.#pruning = new TrashPruning(apply, wakeups.monotonicMs())
    this.#partPruning = new PartPruning(apply, this.#downloads, wakeups.monotonicMs())
  }

  /** The space may show something else than the disk: the next turn makes a pass. */
  want(): void {
    this.#isWanted = true
  }

  /** The space shows something else, or a person acted: what failed to be fetched is asked for again. */
  wantAll(): void {
    this.#isWanted = true
    this.#retryAtMs = 0
  }

  /** Other circumstances: what failed may do now. */
  resume(): void {
    this.#pace.resumed()
    this.wantAll()
  }

  /** The hub has what was written here: what waited for that may do now. */
  sent(): void {
    if (this.#awaitsHub) this.resume()
  }

  /** A long pass gives way to local changes, the later the more often it had to. */
  giveWay(): void {
    const stop = this.#stop
    const { wakeups } = this.options
    if (stop && !this.#isStopping) {
      this.#isStopping = true
      wakeups.after(this.#pace.patienceMs(wakeups.monotonicMs()), () => stop.abort())
    }
    wakeups.wake()
  }

  /** Somebody is sending a large file. */
  hint(hint: UploadHint): void {
    this.#early.hint(hint)
  }

  /** A pass that runs ends at its next safe place. */
  interrupt(): void {
    this.#stop?.abort()
  }

  /** Stops the downloads; their parts stay for the next time. Idempotent. */
  async close(): Promise<void> {
    await this.#early.close()
    await this.#downloads.close()
  }

  get isDue(): boolean {
    return this.dueInMs === 0
  }

  /** `undefined`: nothing is left to do. */
  get dueInMs(): number | undefined {
    return this.#isWanted ? 0 : this.#pace.dueInMs(this.options.wakeups.monotonicMs())
  }

  /** Bytes of others are on their way, or about to be asked for. */
  get isReceiving(): boolean {
    return this.#isWanted || !this.#downloads.isIdle
  }

  /** Nothing is on its way, and several passes in a row could not put on disk what is left. */
  get isStuck(): boolean {
    return !this.isReceiving && this.#pace.isStuck
  }

  /** Entries of the space that the disk does not show yet; at least 1 while a pass is wanted. */
  get pending(): number {
    return this.#notOnDisk + (this.#isWanted ? 1 : 0)
  }

  /**
   * One pass over what others changed.
   * @param signal The turn is broken off: the pass does not begin. One that runs ends by `interrupt`.
   * @throws the signal's reason; what else stopped it: things may be half done then.
   */
  async pass(signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted()
    const { apply, wakeups, expected } = this.options
    this.#isWanted = false
    this.#retryDownloads()
    const stop = new AbortController()
    this.#stop = stop
    this.#pace.started(wakeups.monotonicMs())
    try {
      await this.#ended(await applyRemote(apply, stop.signal, this.#downloads))
    } catch (error) {
      // Anything else ended it in the middle: what is half done is settled before the next look.
      if (error !== stop.signal.reason || signal.aborted) throw error
    } finally {
      this.#stop = undefined
      this.#isStopping = false
      expected.passEnded(wakeups.monotonicMs())
    }
    if (!stop.signal.aborted) return true
    this.#pace.interrupted()
    this.#isWanted = true
    return false
  }

  #retryDownloads(): void {
    const nowMs = this.options.wakeups.monotonicMs()
    if (nowMs < this.#retryAtMs) return
    this.#retryAtMs = nowMs + DOWNLOAD_RETRY_MS
    this.#downloads.retry()
  }

  async #ended({ applied, deferred, kept, problems, awaitsHub, rescan }: Applied): Promise<void> {
    const { push, hints, wakeups } = this.options
    this.#kept = kept
    this.#awaitsHub = awaitsHub
    // While the pass ran the hub may have got it.
    if (awaitsHub && this.options.apply.isSent()) this.#isWanted = true
    if (applied > 0) this.#pruning.grown()
    push.problems.set('/remote', problems)
    const nowMs = wakeups.monotonicMs()
    if (this.#pace.ended({ applied, deferred, rescan: rescan.length }, nowMs)) {
      for (const directory of rescan) hints.add(directory, false, nowMs)
    } else if (push.space.begunAnew.phase === 'no' && (await mendOrphans(push)).length > 0) {
      this.#isWanted = true
      hints.addFull(nowMs)
    }
  }

  /**
   * At the end of a turn: what is left, and the trash in its time.
   * @param isSettled No effect is half done.
   */
  async takeStock(isSettled: boolean): Promise<void> {
    const { push, wakeups } = this.options
    const dirty = await push.space.dirty(DIRTY_COUNTED_MAX + this.#kept.size)
    this.#notOnDisk = dirty.filter((key) => !this.#kept.has(key)).length
    // Of a version that another has replaced meanwhile, while there was no way to its bytes.
    if (this.#notOnDisk === 0) this.#downloads.cancel()
    this.#early.prune()
    this.#pruning.pruneIfDue(wakeups.monotonicMs(), isSettled)
    this.#partPruning.pruneIfDue(wakeups.monotonicMs(), dirty.length === 0, isSettled)
  }
}
