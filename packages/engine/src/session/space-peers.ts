import { AccessError, type BlobClient, type SyncError, type WantedVersion } from '@tidemark/protocol'
import type { SpaceDatabase } from '../database/space-database.js'
import type { Refuse, Refused } from '../database/space-refusals.js'
import type { Hasher } from '../ports/hasher.js'
import type { BlobAuthority } from '../transfer/blob-authority.js'
import type { InlineChunks } from '../transfer/riding-chunks.js'
import type { UploadHint } from '../transfer/upload-hints.js'
import type { Custody } from './custody.js'
import type { PeerInfo, Session, SpaceEndpoint } from './session.js'
import { SpaceExchange } from './space-exchange.js'

export interface SpacePeersOptions {
  readonly database: SpaceDatabase
  readonly cache: InlineChunks
  readonly hasher: Hasher
  /** This side is a hub. @default false */
  readonly isHub?: boolean
  /** Something about the peers or the rounds changed. */
  onChange(): void
  /** A hub shows something else. */
  onDiffers?(): void
  /** Takes what a hub lacks; hubs themselves have none. */
  onWant?(versions: readonly WantedVersion[]): Promise<void>
  /** What a hub refused has been taken back. */
  onRefused?(refused: readonly Refused[]): void
  /** Takes what a hub says of a file that is on its way to it; a hub tells the other replicas. */
  onHint?(hint: UploadHint): void
}

/** A session that carries this space. */
export interface Attached {
  readonly session: Session
  readonly peer: PeerInfo
  readonly exchange: SpaceExchange
  /** The peer's word on bytes; only hubs have one. */
  readonly authority: BlobAuthority
  /** Carries out the grants of that hub. */
  readonly client: BlobClient | undefined
}

/** What this side lets the peer do, and does with the peer's grants. */
export interface SpaceAccess {
  readonly mayWrite: boolean
  readonly blobs?: BlobAuthority
  readonly client?: BlobClient
  readonly custody?: Custody
  /** See `SpaceExchangeOptions.admits`. */
  readonly admits?: boolean
  /** See `SpaceExchangeOptions.onAdmitted`. */
  onAdmitted?(): Promise<void>
  /** What this side, a hub, does not take. */
  readonly refuse?: Refuse
}

/** The sessions that carry one space. */
export class SpacePeers {
  readonly #options: SpacePeersOptions
  readonly #attached = new Set<Attached>()
  /** What the peers of sessions said that ended the space there. */
  readonly #refusals = new Map<Session, SyncError>()
  #closed: AccessError | undefined

  constructor(options: SpacePeersOptions) {
    this.#options = options
  }

  /** For `Session.addSpace`; what it returns throws {AccessError} NO_SUCH_SPACE once the space is closed. */
  endpoint(session: Session, { client, ...access }: SpaceAccess): (channel: number) => SpaceEndpoint {
    const { database, cache, hasher, onChange, onDiffers, onRefused, onWant, onHint } = this.#options
    const { isHub = false } = this.#options
    return (channel) => {
      if (this.#closed) throw this.#closed
      const { peer } = session
      const isAttached = (): boolean => this.#attached.has(attached)
      const exchange = new SpaceExchange({
        database,
        channel,
        cache,
        hasher,
        onChange,
        ...(onWant ? { onWant } : {}),
        ...(onDiffers ? { onDiffers } : {}),
        ...(onRefused ? { onRefused } : {}),
        onHint: (hint) => (isHub ? this.#pass(hint, exchange) : onHint?.(hint)),
        peer: peer.device,
        isHub,
        // Who dials a hub is none, whatever it says: else it could make a hub begin anew.
        isPeerHub: !isHub && peer.role === 'hub',
        // Once it has ended here, the number may be that of another space.
        send: async (message) => (isAttached() ? session.send(message) : undefined),
        fail: (error) => {
          if (isAttached()) session.fail(error)
        },
        ...access,
      })
      const attached: Attached = {
        session,
        peer,
        exchange,
        authority: session.blobAuthority(channel),
        client,
      }
      this.#attached.add(attached)
      return {
        start: () => exchange.start(),
        receive: async (message) => {
          try {
            await exchange.receive(message)
            if (exchange.isLive) this.#refusals.delete(session)
          } catch (error) {
            // Not for this peer; what it may not say afterwards is a broken rule, and ends the session.
            if (message.type !== 'open' || !(error instanceof AccessError)) throw error
            if (isAttached()) session.endSpace(database.space, error)
          }
        },
        get blobs() {
          return exchange.blobs
        },
        closed: (error) => {
          this.#attached.delete(attached)
          if (error) this.#noteRefusal(session, error)
          exchange.closed()
        },
      }
    }
  }

  #noteRefusal(session: Session, error: SyncError): void {
    if (!this.#refusals.has(session)) {
      void session.done.then(() => {
        this.#refusals.delete(session)
        this.#options.onChange()
      })
    }
    this.#refusals.set(session, error)
  }

  /** Why the peer of an open session does not exchange this space with us, if there is one. */
  get refusal(): SyncError | undefined {
    const live = new Set(
      [...this.#attached].flatMap(({ exchange, session }) => (exchange.isLive ? session : [])),
    )
    for (const [session, error] of this.#refusals) if (!live.has(session)) return error
    return undefined
  }

  /** Ends the space in every session, for good. The sessions go on. */
  close(): void {
    const { space } = this.#options.database
    this.#closed ??= new AccessError('NO_SUCH_SPACE', `${space} is not open here`)
    for (const { session } of [...this.#attached]) session.endSpace(space, this.#closed)
  }

  /** The session with a hub that is past its first sync point, if there is one. */
  get hub(): Attached | undefined {
    for (const attached of this.#attached) {
      if (attached.peer.role === 'hub' && attached.exchange.isLive) return attached
    }
    return undefined
  }

  /** Tells the hub of a file that is on its way to it. */
  hint(hint: UploadHint): void {
    this.hub?.exchange.hint(hint)
  }

  #pass(hint: UploadHint, from: SpaceExchange): void {
    for (const { exchange } of this.#attached) if (exchange !== from) exchange.hint(hint)
  }

  get all(): ReadonlySet<Attached> {
    return this.#attached
  }
}
