import {
  AccessError,
  type BlobClient,
  type BlobStore,
  bytesToHex,
  type Connection,
  DatabaseError,
  type DeviceId,
  parseDeviceId,
  parseSpaceName,
  REPLICA_ID_BYTES,
  type SpaceName,
  type Transport,
} from '@tidemark/protocol'
import { BehaviorSubject, type Observable } from 'rxjs'
import { decodeJson, encodeJson } from './database/json-row.js'
import { otherMode } from './database/recorded-mode.js'
import type { Platform } from './platform.js'
import type { KeyValueStore } from './ports/key-value-store.js'
import { mustLimits, Transfers } from './replica-transfers.js'
import { DIAL_BACKOFF } from './session/backoff.js'
import { makeHello } from './session/hello.js'
import { Link, type LinkPhase } from './session/link.js'
import { type PeerInfo, Session, type SessionHost } from './session/session.js'
import { openSpace, type Space } from './space.js'
import type { SpaceOptions } from './space-options.js'
import { BodyCompressor, type Compression, mustCompression } from './transfer/body-compressor.js'
import { LargeBodies } from './transfer/large-bodies.js'
import { Pace, type TransferLimits } from './transfer/pace.js'

/** A space that a peer does not have, or refuses, is offered again: it may be opened there, or allowed. */
const OFFER_AGAIN_MS = DIAL_BACKOFF.maxMs
/** Written into the database; a newer one is refused. */
const FORMAT_VERSION = 1

export interface ReplicaOptions {
  /** The local database. The replica closes it. */
  readonly storage: KeyValueStore
  readonly platform: Platform
  /** Where spaces without a folder keep file bytes on this device. Without it their bytes live at the hub. */
  readonly blobs?: BlobStore
  /**
   * Names the place of the database (host and path). At another place than before it is a clone: a new
   * device. @default none: never taken for a clone
   */
  readonly place?: string
  /**
   * Time from a change to the next acknowledgement and collection of what is deleted, milliseconds, at most
   * 2,147,483,647. @default 600,000
   */
  readonly collectEveryMs?: number
  /** Bytes per second of bodies to and from the store, from the start; see `Transfers.limit`. @default none */
  readonly limits?: TransferLimits
  /**
   * Whether chunks of files are compressed before they go up. `auto`: where a sample says that it pays, and the link
   * is slower than the compressor; `always`: whatever the link. Who reads takes what comes. @default 'auto'
   */
  readonly compression?: Compression
  /** Product and version, for the peer's logs. @default 'tidemark' */
  readonly agent?: string
}

export interface ConnectOptions {
  /** Bearer token for the hub. */
  readonly token?: string
  /** Carries out the hub's grants. @default the platform's, on the transport's `httpBase` */
  readonly blobClient?: BlobClient
}

export interface PeerStatus {
  readonly label: string
  readonly phase: LinkPhase['name']
  /** Why the last attempt, or session, ended, until one opens. */
  readonly error?: Error
}

/** A connection that is kept alive until it is closed. */
export interface PeerLink {
  readonly status: PeerStatus
  close(): Promise<void>
}

interface OpenLink {
  readonly link: Link
  readonly client: BlobClient | undefined
  readonly ownClient: { close(): Promise<void> } | undefined
  status: PeerStatus
  /** `undefined`: it never answered. */
  role?: PeerInfo['role']
}

/**
 * Opens a device's local database and everything that works on it.
 *
 * @throws {DatabaseError} FORMAT_TOO_NEW: written by a later version; {RangeError} a limit is no positive number,
 *   `compression` is no mode, `collectEveryMs` nothing that a timer takes.
 */
export async function openReplica(options: ReplicaOptions): Promise<Replica> {
  const { storage, platform, place, limits = {}, compression = 'auto' } = options
  mustLimits(limits)
  mustCompression(compression)
  mustDelay('collectEveryMs', options.collectEveryMs)
  const format = decodeJson<number>(await storage.get('format'))
  if (format !== undefined && format > FORMAT_VERSION) {
    throw new DatabaseError(
      'FORMAT_TOO_NEW',
      `the database has format ${format}, this version reads ${FORMAT_VERSION}`,
    )
  }
  const row = decodeJson<{ id: string; place?: string }>(await storage.get('device'))
  const isClone = row !== undefined && place !== undefined && row.place !== undefined && row.place !== place
  const device =
    row && !isClone
      ? parseDeviceId(row.id)
      : (bytesToHex(platform.random.bytes(REPLICA_ID_BYTES)) as DeviceId)
  await storage.batch(
    [
      { type: 'put', key: 'format', value: encodeJson(FORMAT_VERSION) },
      {
        type: 'put',
        key: 'device',
        value: encodeJson({ id: device, ...(place === undefined ? {} : { place }) }),
      },
    ],
    { sync: true },
  )
  return new Replica(options, device)
}

/** One device's copy of its spaces: the local database, sessions with peers, and the spaces that are open. */
export class Replica implements AsyncDisposable {
  readonly device: DeviceId
  /** Pause, resume and limits for the bytes of all spaces; metadata always flows. */
  readonly transfers: Transfers
  readonly #options: ReplicaOptions
  readonly #pace: Pace
  readonly #compression: BodyCompressor
  readonly #largeBodies: LargeBodies
  readonly #spaces = new Map<SpaceName, Promise<Space>>()
  /** Spaces that were closed: their rows are free when it resolves. */
  readonly #closing = new Map<SpaceName, Promise<void>>()
  readonly #links = new Set<OpenLink>()
  /** Sessions that peers dialled, with what carries out a hub's grants there. */
  readonly #accepted = new Map<Session, BlobClient | undefined>()
  readonly #offers = new WeakMap<Session, Map<SpaceName, () => void>>()
  readonly #peers = new BehaviorSubject<readonly PeerStatus[]>([])
  #closed: Promise<void> | undefined

  constructor(options: ReplicaOptions, device: DeviceId) {
    this.#options = options
    this.device = device
    this.#pace = new Pace(options.platform.timers)
    this.#largeBodies = new LargeBodies(options.platform.timers)
    this.#compression = new BodyCompressor({
      compressor: options.platform.compressor,
      pace: this.#pace,
      mode: options.compression,
    })
    this.transfers = new Transfers(this.#pace, options.limits)
  }

  /** All links and how they are. */
  get peers$(): Observable<readonly PeerStatus[]> {
    return this.#peers.asObservable()
  }

  /**
   * Keeps a session to one peer alive, with backoff. Several links at once are normal, to one hub of each space: where
   * two hubs have the same space, bytes go to the first of them only.
   */
  connect(transport: Transport, options: ConnectOptions = {}): PeerLink {
    this.#mustBeOpen()
    const { platform } = this.#options
    const ownClient =
      options.blobClient || transport.httpBase === undefined
        ? undefined
        : platform.blobClient(transport.httpBase)
    const client = options.blobClient ?? ownClient
    let open: OpenLink | undefined
    const link = new Link({
      transport,
      timers: platform.timers,
      random: platform.random,
      startSession: (connection) => new Session(connection, this.#host(client, options.token)),
      onPhase: (phase) => {
        // The first phase is entered while the link is constructed.
        queueMicrotask(() => {
          if (!open) return
          open.status = statusOf(transport, phase, open.status)
          if (phase.name === 'open') {
            open.role = phase.peer.role
            void this.#openSpaces(phase.session, client)
          }
          this.#publish()
        })
      },
    })
    open = { link, client, ownClient, status: statusOf(transport, link.phase) }
    const mine = open
    this.#links.add(mine)
    this.#publish()
    return {
      get status() {
        return mine.status
      },
      close: async () => {
        this.#links.delete(mine)
        await link.close()
        await ownClient?.close()
        this.#publish()
      },
    }
  }

  /**
   * Opens a space; the same object each time until it is closed.
   *
   * @throws {TypeError} not a space name, or opened before in another mode, by this process or an earlier one;
   *   {DatabaseError} CLOSED: the replica is.
   */
  async openSpace(name: string, options: SpaceOptions = {}): Promise<Space> {
    this.#mustBeOpen()
    const space = parseSpaceName(name)
    let opening = this.#spaces.get(space)
    if (!opening) {
      opening = this.#open(space, options)
      opening.catch(() => this.#spaces.delete(space))
      this.#spaces.set(space, opening)
      this.#attach(opening)
    }
    const opened = await opening
    const isBound = opened.mode === 'bound'
    if (isBound !== (options.bound === true)) throw otherMode(space, opened.mode)
    return opened
  }

  async #open(space: SpaceName, options: SpaceOptions): Promise<Space> {
    await this.#closing.get(space)
    const { storage, platform, blobs, collectEveryMs } = this.#options
    return openSpace({
      ...options,
      storage,
      platform,
      space,
      device: this.device,
      pace: this.#pace,
      compression: this.#compression,
      largeBodies: this.#largeBodies,
      collectEveryMs,
      ...(blobs ? { blobs } : {}),
      isConfigured: () => [...this.#links].some(({ role }) => role !== 'replica'),
      linkError: () => this.#peers.value.find(({ error }) => error !== undefined)?.error,
      onClose: (closed) => {
        this.#spaces.delete(space)
        this.#closing.set(space, closed)
      },
    })
  }

  /** Ends links, sessions that were accepted, spaces and the database. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= (async () => {
      try {
        await this.#end()
      } finally {
        await this.#options.storage.close()
        this.#peers.complete()
        this.transfers.close()
      }
    })()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #end(): Promise<void> {
    const links = [...this.#links]
    this.#links.clear()
    await Promise.all(links.map(({ link }) => link.close()))
    for (const session of this.#accepted.keys()) session.close()
    for (const opening of this.#spaces.values()) await (await opening.catch(() => undefined))?.close()
    await Promise.all(this.#closing.values())
    // Whoever still reads, or writes with a signal of its own.
    this.#pace.close(new DatabaseError('CLOSED', 'the replica is closed'))
    await Promise.all(links.map(({ ownClient }) => ownClient?.close()))
  }

  #host(client: BlobClient | undefined, token: string | undefined): SessionHost {
    return {
      hello: makeHello({
        device: this.device,
        role: 'replica',
        agent: this.#options.agent ?? 'tidemark',
        token,
      }),
      timers: this.#options.platform.timers,
      admit: async () => undefined,
      peerOpened: async (session, name) => {
        const opening = this.#spaces.get(name)
        if (!opening) throw new AccessError('NO_SUCH_SPACE', `${name} is not open here`)
        return (await opening).peers.endpoint(session, { mayWrite: true, ...(client ? { client } : {}) })
      },
      spaceEnded: (session, name) => {
        const offers = this.#offersOf(session)
        offers.get(name)?.()
        const again = () => this.#offer(session, this.#spaces.get(name), client)
        const cancel = this.#options.platform.timers.after(OFFER_AGAIN_MS, () => void again())
        offers.set(name, cancel)
      },
    }
  }

  /** What is to be offered again in this session, and how that is cancelled. */
  #offersOf(session: Session): Map<SpaceName, () => void> {
    const known = this.#offers.get(session)
    if (known) return known
    const offers = new Map<SpaceName, () => void>()
    this.#offers.set(session, offers)
    void session.done.then(() => {
      for (const cancel of offers.values()) cancel()
    })
    return offers
  }

  /** For a peer that dials us: a session on a connection that is there already. */
  accept(connection: Connection, options: { readonly blobClient?: BlobClient } = {}): Session {
    this.#mustBeOpen()
    const { blobClient } = options
    const session = new Session(connection, this.#host(blobClient, undefined))
    this.#accepted.set(session, blobClient)
    void session.done.then(() => this.#accepted.delete(session))
    session.ready.then(
      () => this.#openSpaces(session, blobClient),
      () => undefined,
    )
    return session
  }

  async #openSpaces(session: Session, client: BlobClient | undefined): Promise<void> {
    for (const opening of this.#spaces.values()) await this.#offer(session, opening, client)
  }

  /** A space that was opened after sessions were. */
  #attach(opening: Promise<Space>): void {
    for (const { link, client } of this.#links) {
      if (link.phase.name === 'open') void this.#offer(link.phase.session, opening, client)
    }
    for (const [session, client] of this.#accepted) {
      session.ready.then(
        () => this.#offer(session, opening, client),
        () => undefined,
      )
    }
  }

  async #offer(
    session: Session,
    opening: Promise<Space> | undefined,
    client: BlobClient | undefined,
  ): Promise<void> {
    const space = await opening?.catch(() => undefined)
    // It may have been closed meanwhile.
    if (!space || this.#spaces.get(space.name) !== opening) return
    session.addSpace(
      space.name,
      space.peers.endpoint(session, { mayWrite: true, ...(client ? { client } : {}) }),
    )
  }

  #publish(): void {
    if (this.#closed) return
    this.#peers.next([...this.#links].map(({ status }) => status))
    for (const opening of this.#spaces.values()) {
      opening.then(
        (space) => space.linkChanged(),
        () => undefined,
      )
    }
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new DatabaseError('CLOSED', 'the replica is closed')
  }
}

/** Timers fire at once for a longer time than they can count. */
const DELAY_MS_MAX = 2 ** 31 - 1

/** @throws {RangeError} */
function mustDelay(name: string, delayMs: number | undefined): void {
  if (delayMs === undefined || (delayMs > 0 && delayMs <= DELAY_MS_MAX)) return
  throw new RangeError(`${name} ${delayMs}: expected milliseconds, more than 0 and at most ${DELAY_MS_MAX}`)
}

function statusOf(transport: Transport, phase: LinkPhase, before?: PeerStatus): PeerStatus {
  const isTrying = phase.name === 'dialing' || phase.name === 'handshaking'
  const error = phase.name === 'backoff' ? phase.error : isTrying ? before?.error : undefined
  return { label: transport.label, phase: phase.name, ...(error ? { error } : {}) }
}
