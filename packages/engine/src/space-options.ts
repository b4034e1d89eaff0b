import type { BlobStore, DeviceId, SpaceName } from '@tidemark/protocol'
import type { Version } from './core/view-entry.js'
import type { Platform } from './platform.js'
import type { KeyValueStore } from './ports/key-value-store.js'
import type { BodyCompressor } from './transfer/body-compressor.js'
import type { LargeBodies } from './transfer/large-bodies.js'
import type { Pace } from './transfer/pace.js'

export interface SpaceOptions {
  /** The space will be bound to a folder: what the user sees is the folder's disk. @default false */
  readonly bound?: boolean
}

export interface OpenSpaceParts extends SpaceOptions {
  readonly storage: KeyValueStore
  readonly platform: Platform
  readonly space: SpaceName
  readonly device: DeviceId
  readonly pace: Pace
  readonly compression: BodyCompressor
  readonly largeBodies: LargeBodies
  readonly blobs?: BlobStore
  /** See `ReplicaOptions.collectEveryMs`. */
  readonly collectEveryMs?: number | undefined
  /** See `LinkState.configured`. */
  isConfigured(): boolean
  /** What the last attempt of a link that is not open ended with. */
  linkError(): Error | undefined
  /** It takes nothing more; its rows are free when that resolves. */
  onClose(closed: Promise<void>): void
}

export interface WriteOptions {
  /** The version that the new bytes were made from, as `stat` returned it. @default the one shown now */
  readonly basedOn?: Version
  /** Whole milliseconds since 1970, as a Date can say them. @default now */
  readonly mtimeMs?: number
  readonly executable?: boolean
  /**
   * Whatever changes when the bytes of the source do, such as a path, a size and a time. With it, a write of a
   * large source that a crash cut off is read on from where it was by the next one with the same fingerprint,
   * where the replica has no `blobs`. What the hub has is never sent again, with or without it.
   */
  readonly fingerprint?: string
  readonly signal?: AbortSignal
  /** Bytes of the source that the hub has for good, in all; never decreases. Not told of what is sent later. */
  onProgress?(durableBytes: number): void
}
