import {
  AccessError,
  type Entries,
  IDS_PER_REQUEST_MAX,
  joinVectors,
  type NodeEntry,
  type NodeId,
  type Open,
  ProtocolError,
  type Reject,
  type Rewind,
  type RunId,
  type SyncPoint,
  type Vector,
  vectorAtMost,
  type WantedVersion,
} from '@tidemark/protocol'
import { isBehind } from '../core/collectable.js'
import type { SpaceSnapshot } from '../database/space-snapshot.js'
import type { BlobAuthority } from '../transfer/blob-authority.js'
import type { UploadHint } from '../transfer/upload-hints.js'
import { Audit } from './audit.js'
import { isOfOld } from './custody.js'
import { HintTalk } from './hint-talk.js'
import { keepInline } from './keep-inline.js'
import { MemberTalk } from './member-talk.js'
import { isLeftBehind, openingOf, yields } from './opening.js'
import { RefusalTalk } from './refusal-talk.js'
import { sendPage } from './send-page.js'
import type { ExchangeMessage, SpaceEndpoint } from './session.js'
import type { SpaceExchangeOptions } from './space-exchange-options.js'
import { SyncPointTalk } from './sync-point-talk.js'

/**
 * The exchange of one space with one peer: both ends stream at once (design 5). As a sender: rounds, each
 * from one snapshot, with a SYNC_POINT at the end. As a receiver: frames in order, each one atomic batch.
 */
export class SpaceExchange implements SpaceEndpoint {
  readonly #options: SpaceExchangeOptions
  readonly #stopListening: () => void
  /** What the peer truly has; `undefined` until its OPEN came. */
  #theirs: Vector | undefined
  /** What the peer had collected when it last said OPEN. */
  #theirFloor: Vector = new Map()
  /** Own log position up to which the peer was served. */
  #position = 0
  /** Own log positions above `#position` whose content came from the peer: it does not get them back. */
  readonly #echoes = new Set<number>()
  readonly #members: MemberTalk
  readonly #points: SyncPointTalk
  readonly #hints: HintTalk
  readonly #audit: Audit
  readonly #refusals: RefusalTalk
  /** Both ends send everything once more; until something is collected here, which would come back with it. */
  #repairsBefore: RunId | undefined
  /** The next round sends everything. */
  #mustSendAll = false
  /** What this side said in its last OPEN: both ends judge by the same words. */
  #said: Open | undefined
  /** Its OPENs, one after the other; `undefined` until the first one. */
  #saying: Promise<void> | undefined
  /** How often the database had begun anew when this side last said OPEN. */
  #rejoins: number
  #says = 0
  /** The number of the last OPEN with which this side began anew: what is older than its answer is not taken. */
  #awaited = 0
  /** Nothing but OPENs is taken. */
  #awaitsOpen = false
  /** What the peer sends is not taken until this side has begun anew. */
  #judgesLater = false
  /** The number of the peer's last OPEN. */
  #opens = 0
  /** Counts streams to the peer: a round that began before the last OPEN, or before a refusal, is void. */
  #streams = 0
  /** This side, a hub, has refused something: the OPEN that follows is answered with one. */
  #hasRefused = false
  /** The peer must begin anew first: until its next OPEN nothing is taken from it or sent. */
  #awaitsRejoin = false
  #receivedSyncPoint = false
  /** Entries came, and the sync point behind them has not. */
  #isInRound = false
  /** The peer takes no entries from this side. */
  #isReadOnly = false
  #wanted = false
  #running = false
  #closed = false

  constructor(options: SpaceExchangeOptions) {
    this.#options = options
    const { database, channel, peer, send, isHub = false, isPeerHub = false } = options
    const { gc, device } = database
    this.#members = new MemberTalk({ gc, device, channel, peer, send, isHub, isPeerHub })
    this.#points = new SyncPointTalk(channel)
    this.#hints = new HintTalk(channel, send)
    this.#audit = new Audit({
      database,
      channel,
      isHub: isHub && !isPeerHub,
      send,
      repair: () => this.#requestRepair(),
      onDiffers: () => options.onDiffers?.(),
    })
    this.#refusals = new RefusalTalk(options)
    this.#rejoins = database.rejoins
    this.#stopListening = options.database.onChange(() => {
      if (this.#rejoins !== database.rejoins) this.#openAnew()
      else if (this.#judgesLater && !database.isRejoining) this.#openAnew()
      this.#wake()
      options.onChange()
    })
  }

  get blobs(): BlobAuthority | undefined {
    return this.#options.blobs
  }

  /** Past the first sync point of the peer. */
  get isLive(): boolean {
    return this.#receivedSyncPoint && !this.#closed
  }

  /** Both ends hold the same, as far as both know; to a peer that takes nothing: this side has all of it. */
  get isEqual(): boolean {
    const { frontier } = this.#options.database
    if (!this.isLive || !this.#theirs || this.#isInRound || this.#running || this.#wanted) return false
    return (this.#isReadOnly || vectorAtMost(frontier, this.#theirs)) && vectorAtMost(this.#theirs, frontier)
  }

  /** The peer takes nothing from this side, which may only read. */
  get isReadOnly(): boolean {
    return this.#isReadOnly
  }

  /** Writes of this side that the peer has not. */
  get hasUnsent(): boolean {
    return this.#theirs !== undefined && !vectorAtMost(this.#options.database.frontier, this.#theirs)
  }

  /** Sends OPEN. */
  start(): Promise<void> {
    this.#saying = this.#say(false)
    return this.#saying
  }

  async #say(anew: boolean): Promise<void> {
    const { database, channel, peer, send, mayWrite, isHub, isPeerHub } = this.#options
    const isHubOverPeer = isHub === true && !isPeerHub
    const ends = { channel, peer, mayWrite, isHubOverPeer, isPeerHub: isPeerHub === true }
    await database.resumeRejoin()
    const standing = await openingOf(database, { ...ends, admits: this.#admits })
    const number = ++this.#says
    const open: Open = { ...standing, number, answers: this.#opens, ...(anew ? { anew } : {}) }
    this.#said = open
    if (anew) this.#awaited = open.number
    await send(open)
  }

  /** Tells the peer what is new about members and acknowledgements; called now and then, never as an answer. */
  async tellMembers(): Promise<void> {
    if (this.#closed || !this.#theirs || !this.#options.mayWrite || this.#isReadOnly) return
    await this.#members.tellAcks()
  }

  /**
   * Asks the peer, a hub, whether it shows the same. Reads every node; never as an answer.
   *
   * @returns whether it was asked: there is something to compare when both ends hold the same.
   */
  async audit(): Promise<boolean> {
    const { isPeerHub = false, isHub = false } = this.#options
    if (!isPeerHub || isHub || !this.isEqual || this.#isReadOnly) return false
    await this.#audit.tell()
    return true
  }

  async #requestRepair(): Promise<void> {
    const { channel, send } = this.#options
    // Once a session: it costs both ends everything that there is.
    if (this.#repairsBefore !== undefined) return
    await send({ type: 'rewind', channel, reason: 'requested' })
    this.#repair()
  }

  #repair(): void {
    this.#repairsBefore = this.#options.database.gc.sweep
    this.#mustSendAll = true
    this.#wake()
  }

  async receive(message: ExchangeMessage): Promise<void> {
    if ((this.#awaitsOpen || this.#awaitsRejoin) && message.type !== 'open') return
    switch (message.type) {
      case 'open':
        return this.#open(message)
      case 'rewind':
        return this.#rewind(message)
      case 'entries':
        return this.#entries(message)
      case 'sync-point':
        return this.#syncPoint(message)
      case 'members':
        this.#mustWrite()
        return this.#members.members(message)
      case 'acks':
        this.#mustWrite()
        return this.#members.acks(message)
      case 'digest':
        this.#mustWrite()
        return this.#audit.heard(message)
      case 'reject':
        return this.#reject(message)
      case 'want':
        return this.#want(message.versions)
      case 'hint':
        this.#mustWrite()
        return this.#options.onHint?.(message)
      default:
        message satisfies never
    }
  }

  /** Asks the peer for bytes, if it may upload and has opened the space. */
  async want(versions: readonly WantedVersion[]): Promise<void> {
    const { channel, mayWrite, send } = this.#options
    if (this.#closed || !this.#theirs || !mayWrite) return
    for (let from = 0; from < versions.length; from += IDS_PER_REQUEST_MAX)
      await send({ type: 'want', channel, versions: versions.slice(from, from + IDS_PER_REQUEST_MAX) })
  }

  /** Tells the peer of a file that is on its way to the hub. A peer that is slow to listen hears of some parts only. */
  hint(hint: UploadHint): void {
    if (this.isLive && !this.#isReadOnly) this.#hints.tell(hint)
  }

  closed(): void {
    this.#closed = true
    this.#stopListening()
    this.#options.onChange()
  }

  /** A hub that went back may have caught up with all that this side claims, and show what was collected here. */
  async #rewind({ reason }: Rewind): Promise<void> {
    const { database, peer, isPeerHub = false } = this.#options
    await database.forgetCursor(peer)
    // Nobody but a hub has everything sent.
    if (reason === 'requested') return isPeerHub ? this.#repair() : undefined
    const frontier = this.#theirs
    if (!isPeerHub || !frontier || database.isRejoining || database.gc.floor.size === 0) return
    await database.rejoin(peer, { frontier }, 'relearn')
  }

  async #open(open: Open): Promise<void> {
    const { database, channel, peer, send, mayWrite, custody, isHub, isPeerHub } = this.#options
    const rejoins = this.#rejoins
    this.#opens = open.number
    this.#streams += 1
    this.#points.restart()
    this.#theirs = undefined
    // What one that may only read says of itself says nothing about anybody else.
    await database.noteOpen(peer, mayWrite ? open : { sweep: open.sweep })
    if (isPeerHub && !isHub) await database.followHub(peer)
    await this.#saying
    if (open.anew) {
      if (mayWrite) await database.gc.forgetAck(peer)
      await this.start()
    } else if (this.#hasRefused) await this.start()
    this.#hasRefused = false
    // Said before the peer heard that this side begins anew: the answer to that is still to come.
    if (open.answers < this.#awaited || rejoins !== this.#rejoins) return
    this.#awaitsOpen = this.#judgesLater
    if (await this.#beginsAnew(open)) return
    if (this.#admits) {
      await database.gc.admit(peer)
      await this.#options.onAdmitted?.()
    }
    const wentBack = !vectorAtMost(open.remembered, database.frontier)
    const isGood = !wentBack && open.cursor !== undefined && database.isGoodCursor(open.cursor)
    // It began anew, and the `anew` that said so was lost.
    const ack = await database.gc.ackOf(peer)
    const isAckVoid = ack !== undefined && !vectorAtMost(ack.applied, open.frontier)
    if (mayWrite && isAckVoid) await database.gc.forgetAck(peer)
    if (mayWrite && isHub && (wentBack || open.anew || isAckVoid)) await database.gc.renewEpoch()
    if (open.cursor && !isGood) {
      await send({ type: 'rewind', channel, reason: wentBack ? 'rolled-back' : 'unknown-run' })
    }
    if (rejoins !== this.#rejoins) return
    this.#repairsBefore = undefined
    this.#mustSendAll = false
    this.#theirs = open.frontier
    this.#theirFloor = open.floor
    this.#isReadOnly = open.readOnly === true
    this.#position = isGood ? open.cursor!.lseq : 0
    if (open.anew || this.#isReadOnly) this.#echoes.clear()
    // Before the first sync point: a peer that ends when both are equal has heard of it by then.
    if (mayWrite) await custody?.opened((versions) => this.want(versions))
    this.#wake()
  }

  /** @returns whether one of the ends has to say OPEN again first. */
  async #beginsAnew(open: Open): Promise<boolean> {
    const { database, peer } = this.#options
    const said = this.#said
    const rejoins = this.#rejoins
    const isRestored = await database.restoreIfBaseLost(peer, open.frontier)
    // By another link too.
    if (isRestored || rejoins !== this.#rejoins) return true
    if (!said) throw new ProtocolError('UNEXPECTED_MESSAGE', 'the peer opened before this end did')
    const areWe = isBehind(said, open)
    const areThey = isBehind(open, said)
    this.#awaitsRejoin = false
    if (!areWe && !areThey) return false
    if (!yields(this.#options, areWe, areThey)) {
      this.#awaitsRejoin = true
      return true
    }
    // Behind each other: the hub went back, and others have gone on with it and collected.
    await database.rejoin(peer, open, areWe ? 'forget' : 'relearn')
    return true
  }

  /** Asks for an OPEN, once this side itself knows where it stands. */
  #judgeAgain(): void {
    if (!this.#options.database.isRejoining) this.#openAnew()
    else {
      this.#judgesLater = true
      this.#awaitsOpen = true
    }
  }

  /** The database forgot what it had: every peer has to start from the beginning. */
  #openAnew(): void {
    this.#rejoins = this.#options.database.rejoins
    if (this.#closed || !this.#saying) return
    // What is still to be sent of a round is of before: behind our OPEN its end would claim what was forgotten.
    this.#streams += 1
    this.#awaitsOpen = true
    this.#judgesLater = false
    this.#theirs = undefined
    this.#receivedSyncPoint = false
    this.#saying = this.#saying.then(() => this.#say(true))
    this.#saying.catch((error: Error) => this.#options.fail(error))
  }

  async #want(versions: readonly WantedVersion[]): Promise<void> {
    const { onWant, isHub = false, isPeerHub = false } = this.#options
    if (isHub || !isPeerHub || !onWant)
      throw new ProtocolError('UNEXPECTED_MESSAGE', 'want is not expected here')
    await onWant(versions)
  }

  async #entries({ entries, inline, run, lseq, repair = false }: Entries): Promise<void> {
    const { database, peer, blobs, custody } = this.#options
    const rejoins = this.#rejoins
    this.#mustWrite()
    // A member is past all that was ever collected. Anybody else may write to what is no more: it has to judge.
    const { gc } = database
    const isMember = gc.members.devices.includes(peer)
    const isBehindFloor = this.#admits || !vectorAtMost(gc.floor, this.#theirs ?? new Map())
    if (!isMember && isBehindFloor) return this.#judgeAgain()
    this.#isInRound = true
    const isRepair = repair && this.#repairsBefore === gc.sweep
    // What an audit asks for was taken before.
    const mustJudge = this.#refusals.judges && !isRepair
    const judgement = mustJudge ? await this.#refusals.judge(entries) : { taken: entries, refusals: [] }
    const { taken, refusals } = judgement
    for (const chunk of inline) keepInline(chunk, this.#options)
    if (inline.length > 0 && blobs) await blobs.putInline(inline)
    const cursor = refusals.length > 0 ? undefined : { run, lseq }
    const receive = () => database.receive(peer, taken, cursor, isRepair, rejoins)
    const mayBeLost = isRepair || !this.#receivedSyncPoint || isOfOld(taken)
    const take = () => (mayBeLost ? custody?.catchUp(taken, receive) : custody?.receive(taken, receive))
    const moved = await (take() ?? receive())
    // Nothing was taken: this side says OPEN anew.
    if (rejoins !== this.#rejoins) return
    for (const { lseq: now, previous } of moved) {
      const hadSent = previous <= this.#position || this.#echoes.has(previous)
      // No round, which would drop them, goes to a peer that takes nothing.
      if (hadSent && !this.#isReadOnly) this.#echoes.add(now)
    }
    if (refusals.length === 0) return
    this.#awaitsOpen = true
    this.#hasRefused = true
    await this.#options.send({ type: 'reject', channel: this.#options.channel, refusals })
  }

  /** What the hub did not take is taken back; then both begin again where the hub stands. */
  async #reject(reject: Reject): Promise<void> {
    const { isHub = false, isPeerHub = false } = this.#options
    if (isHub || !isPeerHub) throw new ProtocolError('UNEXPECTED_MESSAGE', 'only a hub refuses')
    this.#streams += 1
    this.#theirs = undefined
    // What was sent behind the refused entry was not read.
    this.#position = 0
    this.#echoes.clear()
    await this.#refusals.takeBack(reject)
    this.#saying = this.#saying?.then(() => this.#say(false))
    await this.#saying
  }

  /** Nor may a reader move our frontier: what it claims would not be asked of others any more. */
  #mustWrite(): void {
    const { database, mayWrite } = this.#options
    if (!mayWrite) throw new AccessError('FORBIDDEN', `you may not write to ${database.space}`)
  }

  get #admits(): boolean {
    const { admits = false, isPeerHub = false, mayWrite } = this.#options
    return admits && mayWrite && !isPeerHub
  }

  async #syncPoint(message: SyncPoint): Promise<void> {
    const { database, peer, onChange } = this.#options
    const rejoins = this.#rejoins
    this.#mustWrite()
    const point = this.#points.hear(message)
    if (isLeftBehind(database, point, this.#theirFloor)) return this.#rejoinLate(point)
    const { run, lseq } = point
    const lost = new Map(point.lost.map(({ rid, seq }) => [rid, seq]))
    await database.syncPoint(peer, { ...point, cursor: { run, lseq }, lost }, rejoins)
    if (rejoins !== this.#rejoins) return
    if (this.#theirs) this.#theirs = joinVectors(this.#theirs, point.frontier)
    this.#receivedSyncPoint = true
    this.#isInRound = false
    onChange()
  }

  async #rejoinLate(point: SyncPoint): Promise<void> {
    const { database, peer, isHub = false, isPeerHub = false } = this.#options
    // A hub that went back: the replica judges again, and begins anew.
    if (isHub && !isPeerHub) return this.#openAnew()
    await database.rejoin(peer, point, 'forget')
  }

  #wake(): void {
    this.#wanted = true
    if (this.#running || this.#closed || !this.#theirs) return
    this.#running = true
    this.#serve()
      .catch((error: Error) => this.#options.fail(error))
      .finally(() => {
        this.#running = false
        // What came between the last look and here would wait for the next change.
        if (this.#wanted) this.#wake()
        this.#options.onChange()
      })
  }

  async #serve(): Promise<void> {
    while (this.#wanted && !this.#closed) {
      this.#wanted = false
      // What is written here meanwhile stays here, and is sent when the peer takes it.
      if (this.#isReadOnly || !this.#theirs || this.#options.database.isRejoining) return
      await this.#members.tellFirst()
      const snapshot = await this.#options.database.snapshot()
      try {
        await this.#round(snapshot)
      } finally {
        await snapshot.close()
      }
    }
  }

  async #round(snapshot: SpaceSnapshot): Promise<void> {
    const { database, channel, send, cache, entriesPerFrameMax, isPeerHub } = this.#options
    const streams = this.#streams
    const isVoid = (): boolean => this.#closed || streams !== this.#streams
    const repair = this.#mustSendAll
    this.#mustSendAll = false
    const theirs = this.#theirs && (repair ? new Map() : this.#theirs)
    if (!theirs) return
    const page = {
      snapshot,
      theirs,
      cache,
      entriesPerFrameMax,
      above: isPeerHub ? new Set<NodeId>() : undefined,
      takesBack: (entry: NodeEntry) => this.#refusals.takesBack(entry),
      frame: { type: 'entries', channel, run: database.partialRun, ...(repair ? { repair } : {}) },
      // After another OPEN its position would be taken for one in the stream that begins there.
      send: async (frame: Entries) => (isVoid() ? undefined : send(frame)),
    } as const
    let sent = 0
    for await (const log of snapshot.log(repair ? 0 : this.#position)) {
      if (isVoid()) return
      sent += await sendPage(repair ? log : log.filter(({ lseq }) => !this.#echoes.has(lseq)), page)
    }
    if (isVoid()) return
    this.#position = Math.max(this.#position, snapshot.lseq)
    for (const lseq of this.#echoes) if (lseq <= this.#position) this.#echoes.delete(lseq)
    const { run, lost } = database
    const end = { run, lost, hasEntries: sent > 0 }
    await this.#points.tell(snapshot, end, async (point) => (isVoid() ? undefined : send(point)))
  }
}
