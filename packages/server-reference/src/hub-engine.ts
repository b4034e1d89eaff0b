import type { BlobAuthority, Clock, KeyValueStore, Refuse, SpaceDatabase } from '@tidemark/engine'
import type { BlobStore, Connection, SpaceName } from '@tidemark/protocol'
import type { Subject } from './auth/token.js'
import type { BlobAudit, SweepOptions } from './grants/hub-blobs.js'
import type { Logger } from './logger.js'
import type { SweepResult } from './sweep/space-sweep.js'
import type { Uptime } from './uptime.js'

/** What the hub gives to the engine that runs its sessions: authority, storage, bytes. */
export interface HubServices {
  /** The hub's database. Keys below `blob-index/`, `lacking/`, `silence`, `store-claim`, `sweep` and `uptime` are the hub's own; closed by the hub, after the engine. */
  readonly storage: KeyValueStore
  readonly blobs: BlobStore
  readonly clock: Clock
  readonly logger: Logger
  /** @throws {AccessError} UNAUTHENTICATED */
  authenticate(token: string | undefined): Subject
  /** The hub's word on the bytes of one space; the same object at every call. */
  blobAuthority(space: SpaceName): BlobAuthority
  /** What it should have and has not. */
  blobAudit(space: SpaceName): BlobAudit
  /** See `HubConfigOptions`. @default 180 days */
  readonly evictAfterMs?: number
  readonly collectEveryMs?: number
  /** What the hub does not take. @default it takes everything */
  readonly refuse?: Refuse
  /** Deletes bytes that nobody needs. @default they are kept for ever */
  readonly sweep?: HubSweep
}

export interface HubSweep {
  readonly uptime: Uptime
  /** From one pass over all spaces to the next, milliseconds. */
  readonly everyMs: number
  /** One pass over one space. @returns `undefined`: it was not whole. */
  run(
    database: SpaceDatabase,
    when: Pick<SweepOptions, 'soleSinceMs' | 'signal'>,
  ): Promise<SweepResult | undefined>
}

/** For an operator. */
export interface HubCounts {
  readonly sessions: number
  /** Spaces that were opened since the hub started; the rest is about these. */
  readonly spaces: number
  /** Devices that may write, and are waited for before what is deleted is forgotten; once for each space. */
  readonly members: number
  /** Deleted files and directories that are still remembered. */
  readonly tombstones: number
  /** Files, directories and links that an audit put right: a device had them, the hub had lost them. */
  readonly repaired: number
  /** Bytes that nothing needs and that are kept for a while, in the spaces that were swept since the start. */
  readonly condemnedBytes: number
  /** Blobs, and bytes in them, that were deleted since the start because nobody needed them any more. */
  readonly deletedBlobs: number
  readonly deletedBytes: number
  /** Other hubs, or copies of this one, that use its store: while there is one, nothing is deleted. */
  readonly otherHubs: number
}

/** Runs sessions: the same engine as on a device, in the role of a hub. */
export interface HubEngine {
  /** Takes the connection over, handshake first. Never throws: a bad peer ends its own session only. */
  accept(connection: Connection, session: { readonly logger: Logger }): void
  /** Sessions that are open. */
  readonly sessions: number
  /** Looks at each tombstone. */
  counts(): Promise<HubCounts>
  /**
   * Ends every session at a point where nothing acknowledged is lost, refuses new ones, and releases what
   * it holds. Sessions still open when `signal` fires are cut. Idempotent.
   */
  close(options: { readonly signal: AbortSignal }): Promise<void>
}

export type OpenHubEngine = (services: HubServices) => Promise<HubEngine>
