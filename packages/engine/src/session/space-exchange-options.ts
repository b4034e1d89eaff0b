import type { DeviceId, Message, WantedVersion } from '@tidemark/protocol'
import type { SpaceDatabase } from '../database/space-database.js'
import type { Refuse, Refused } from '../database/space-refusals.js'
import type { Hasher } from '../ports/hasher.js'
import type { BlobAuthority } from '../transfer/blob-authority.js'
import type { InlineChunks } from '../transfer/riding-chunks.js'
import type { UploadHint } from '../transfer/upload-hints.js'
import type { Custody } from './custody.js'

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
  /** Whether this side, and the peer, is a hub. @default false */
  readonly isHub?: boolean
  readonly isPeerHub?: boolean
  /** This side's word on bytes, where it is a hub. */
  readonly blobs?: BlobAuthority
  /** Whether this side, a hub, makes members of those that may write. @default false */
  readonly admits?: boolean
  /** The peer is a member now. */
  onAdmitted?(): Promise<void>
  /** What this side does not take, where it is a hub. */
  readonly refuse?: Refuse
  /** What the peer, a hub, refused has been taken back. */
  onRefused?(refused: readonly Refused[]): void
  /** What it does about bytes that it lacks, where it is a hub. */
  readonly custody?: Custody
  /** Takes what the peer, a hub, lacks. */
  onWant?(versions: readonly WantedVersion[]): Promise<void>
  /** Takes what the peer says of a file that is on its way to a hub. */
  onHint?(hint: UploadHint): void
  /** Bytes of small files that ride along with entries. */
  readonly cache: InlineChunks
  readonly hasher: Hasher
  /** Entries in one frame. @default 1,000 */
  readonly entriesPerFrameMax?: number
  /** The peer's frontier, ours or the state of the rounds changed. */
  onChange(): void
  /** The peer, a hub, shows something else: it is to be asked again soon (`audit`). */
  onDiffers?(): void
}
