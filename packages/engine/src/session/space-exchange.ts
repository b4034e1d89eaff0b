import {
  AccessError,
  bytesToHex,
  ChunkMismatchError,
  type DeviceId,
  type Entries,
  FRAME_BYTES_TARGET,
  type InlineChunk,
  joinVectors,
  type Message,
  type NodeEntry,
  type Open,
  ProtocolError,
  type SyncPoint,
  type Vector,
  vectorAtMost,
  type WantedVersion,
} from '@tidemark/protocol'
import { newerThan } from '../core/incoming.js'
import type { LogEntry } from '../database/change-log.js'
import type { SpaceDatabase } from '../database/space-database.js'
import type { SpaceSnapshot } from '../database/space-snapshot.js'
import type { Hasher } from '../ports/hasher.js'
import type { BlobAuthority } from '../transfer/blob-authority.js'
import type { ChunkCache } from '../transfer/chunk-cache.js'
import type { Custody } from './custody.js'
import { roughEntryBytes, smallRootsOf } from './entry-size.js'
import type { ExchangeMessage, SpaceEndpoint } from './session.js'

/** Entries in one frame: bounds what the other end writes in one batch. */
const ENTRIES_PER_ROUND_FRAME_MAX = 1_000

export interface SpaceExchangeOptions {
  readonly database: SpaceDatabase
  /** The number that this side's messages carry. */
  readonly channel: number
  /** Resolves when the connection takes more. */
  send(message: Message): Promise<void>
  /** Ends the session. */
  fail(error: Error): void
  readonly peer: DeviceId
  /** Whether the peer may send entries. */
  readonly mayWrite: boolean
  /** This side's word on bytes, where it is a hub. */
  readonly blobs?: BlobAuthority
  /** What it does about bytes that it lacks, where it is a hub. */
  readonly custody?: Custody
  /** Takes what the peer, a hub, lacks. */
  onWant?(versions: readonly WantedVersion[]): Promise<void>
  /** Bytes of small files that ride along with entries. */
  readonly cache: ChunkCache
  readonly hasher: Hasher
  /** Entries in one frame. @default 1,000 */
  readonly entriesPerFrameMax?: number
  /** The peer's frontier, ours or the state of the rounds changed. */
  onChange(): void
}

/**
 * The exchange of one space with one peer: both ends stream at once (design 5). As a sender: rounds, each
 * from one snapshot, with a SYNC_POINT at the end. As a receiver: frames in order, each one atomic batch.
 */
export class SpaceExchange implements SpaceEndpoint {
  readonly #options: SpaceExchangeOptions
  readonly #stopListening: () => void
  /** What the peer truly has; `undefined` until its OPEN came. */
  #theirs: Vector | undefined
  /** Own log position up to which the peer was served. */
  #position = 0
  #sentFrontier: Vector | undefined
  #sentLost = 0
  /** Own log positions above `#position` whose content came from the peer: it does not get them back. */
  readonly #echoes = new Set<number>()
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
    this.#stopListening = options.database.onChange(() => {
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
  async start(): Promise<void> {
    const { database, channel, peer, send, mayWrite } = this.#options
    const { cursor, frontier } = await database.peer(peer)
    const open: Open = {
      type: 'open',
      space: database.space,
      channel,
      frontier: database.frontier,
      ...(cursor ? { cursor } : {}),
      remembered: frontier,
      met: database.met,
      own: database.own,
      ...(mayWrite ? {} : { readOnly: true }),
    }
    await send(open)
  }

  async receive(message: ExchangeMessage): Promise<void> {
    switch (message.type) {
      case 'open':
        return this.#open(message)
      case 'rewind':
        return this.#options.database.forgetCursor(this.#options.peer)
      case 'entries':
        return this.#entries(message)
      case 'sync-point':
        return this.#syncPoint(message)
      case 'reject':
        throw new AccessError('FORBIDDEN', `the hub refused ${message.node}: ${message.message}`)
      case 'want':
        return this.#want(message.versions)
      default:
        message satisfies never
    }
  }

  /** Asks the peer for bytes, if it may upload and has opened the space. */
  async want(versions: readonly WantedVersion[]): Promise<void> {
    const { channel, mayWrite, send } = this.#options
    if (this.#closed || !this.#theirs || !mayWrite || versions.length === 0) return
    await send({ type: 'want', channel, versions })
  }

  closed(): void {
    this.#closed = true
    this.#stopListening()
    this.#options.onChange()
  }

  async #open(open: Open): Promise<void> {
    const { database, channel, peer, send, mayWrite, custody } = this.#options
    await database.noteIncarnations(peer, open)
    const wentBack = !vectorAtMost(open.remembered, database.frontier)
    const isGood = !wentBack && open.cursor !== undefined && database.isGoodCursor(open.cursor)
    if (open.cursor && !isGood) {
      await send({ type: 'rewind', channel, reason: wentBack ? 'rolled-back' : 'unknown-run' })
    }
    this.#theirs = open.frontier
    this.#isReadOnly = open.readOnly === true
    this.#position = isGood ? open.cursor!.lseq : 0
    this.#sentFrontier = undefined
    // Before the first sync point: a peer that ends when both are equal has heard of it by then.
    if (mayWrite) await custody?.opened((versions) => this.want(versions))
    this.#wake()
  }

  async #want(versions: readonly WantedVersion[]): Promise<void> {
    const { blobs, onWant } = this.#options
    if (blobs || !onWant) throw new ProtocolError('UNEXPECTED_MESSAGE', 'want is not expected here')
    await onWant(versions)
  }

  async #entries({ entries, inline, run, lseq }: Entries): Promise<void> {
    const { database, peer, blobs, custody } = this.#options
    this.#mustWrite()
    this.#isInRound = true
    for (const chunk of inline) this.#keepInline(chunk)
    if (inline.length > 0 && blobs) await blobs.putInline(inline)
    const receive = () => database.receive(peer, entries, { run, lseq })
    const moved = await (custody && !this.#receivedSyncPoint ? custody.catchUp(entries, receive) : receive())
    for (const { lseq: now, previous } of moved) {
      const hadSent = previous <= this.#position || this.#echoes.has(previous)
      if (hadSent) this.#echoes.add(now)
    }
  }

  /** Nor may a reader move our frontier: what it claims would not be asked of others any more. */
  #mustWrite(): void {
    const { database, mayWrite } = this.#options
    if (!mayWrite) throw new AccessError('FORBIDDEN', `you may not write to ${database.space}`)
  }

  #keepInline({ id, bytes }: InlineChunk): void {
    const { cache, hasher } = this.#options
    const actual = bytesToHex(hasher.sha256(bytes))
    if (actual !== id) throw new ChunkMismatchError(id, actual)
    cache.put(id, bytes)
  }

  async #syncPoint(point: SyncPoint): Promise<void> {
    const { database, peer, onChange } = this.#options
    this.#mustWrite()
    await database.syncPoint(peer, {
      cursor: { run: point.run, lseq: point.lseq },
      frontier: point.frontier,
      met: point.met,
      lost: new Map(point.lost.map(({ rid, seq }) => [rid, seq])),
    })
    this.#theirs = joinVectors(this.#theirs ?? new Map(), point.frontier)
    this.#receivedSyncPoint = true
    this.#isInRound = false
    onChange()
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
      if (this.#isReadOnly) return
      const snapshot = await this.#options.database.snapshot()
      try {
        await this.#round(snapshot)
      } finally {
        await snapshot.close()
      }
    }
  }

  async #round(snapshot: SpaceSnapshot): Promise<void> {
    const { database, channel, send } = this.#options
    let sent = 0
    for await (const page of snapshot.log(this.#position)) {
      if (this.#closed) return
      sent += await this.#sendPage(snapshot, page)
    }
    if (this.#closed) return
    this.#position = Math.max(this.#position, snapshot.lseq)
    for (const lseq of this.#echoes) if (lseq <= this.#position) this.#echoes.delete(lseq)
    const lost = [...database.lost].map(([rid, seq]) => ({ rid, seq }))
    const isNews =
      this.#sentFrontier === undefined ||
      !vectorAtMost(snapshot.frontier, this.#sentFrontier) ||
      lost.length !== this.#sentLost
    if (sent === 0 && !isNews) return
    this.#sentFrontier = snapshot.frontier
    this.#sentLost = lost.length
    await send({
      type: 'sync-point',
      channel,
      run: database.run,
      lseq: snapshot.lseq,
      frontier: snapshot.frontier,
      met: snapshot.met,
      lost,
    })
  }

  /** @returns how many entries it sent. */
  async #sendPage(snapshot: SpaceSnapshot, page: readonly LogEntry[]): Promise<number> {
    const { database, channel, send, cache, entriesPerFrameMax = ENTRIES_PER_ROUND_FRAME_MAX } = this.#options
    const fresh = page.filter(({ lseq }) => !this.#echoes.has(lseq))
    const nodes = await snapshot.nodes(fresh.map(({ node }) => node))
    let entries: NodeEntry[] = []
    let inline: InlineChunk[] = []
    let bytes = 0
    let sent = 0
    const flush = async (lseq: number): Promise<void> => {
      if (entries.length === 0) return
      const frame: Entries = { type: 'entries', channel, run: database.partialRun, lseq, entries, inline }
      sent += entries.length
      entries = []
      inline = []
      bytes = 0
      await send(frame)
    }
    for (const [i, { lseq }] of fresh.entries()) {
      const node = nodes[i]
      const newer = node && newerThan(node, this.#theirs!)
      if (!newer) continue
      entries.push(newer)
      bytes += roughEntryBytes(newer)
      for (const id of smallRootsOf(newer)) {
        const kept = cache.get(id)
        if (!kept) continue
        inline.push({ id, bytes: kept })
        bytes += kept.length
      }
      if (bytes >= FRAME_BYTES_TARGET || entries.length >= entriesPerFrameMax) await flush(lseq)
    }
    await flush(page.at(-1)!.lseq)
    return sent
  }
}
