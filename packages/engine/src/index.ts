export { MemoryKeyValueStore } from './adapters/memory-store.js'
export type {
  BegunAnew,
  ChunkedFile,
  CommitResult,
  FetchOptions,
  HeldFile,
  LinkState,
  Materialised,
  OrphanedEntry,
  SpaceBinding,
  StoreOptions,
  TransferOptions,
  Upload,
  WantedByHub,
  WantedContent,
} from './binding.js'
export type { ChunkList } from './chunking/chunk-list.js'
export { beginsLikeManifestNode, decodeManifestNode } from './chunking/manifest-node.js'
export { type BuiltPack, type ChunkToPack, type PackedChunk, PackFormat } from './chunking/pack-format.js'
export { PlainGear } from './chunking/plain-gear.js'
export { eachNodeOnce, readManifest } from './chunking/read-manifest.js'
export type { NewContent, ParentRef, UserOp } from './core/user-op.js'
export {
  type EntryKey,
  entryKey,
  sameEntry,
  type Version,
  type ViewChange,
  type ViewEntry,
} from './core/view-entry.js'
export { visibleContents } from './core/visibility.js'
export { SpaceDatabase, type SpaceDatabaseOptions, type SpaceMode } from './database/space-database.js'
export {
  type HubWrite,
  type RefusalReason,
  type Refuse,
  type Refused,
  refusedRows,
} from './database/space-refusals.js'
export type { TreeReader } from './database/tree-reader.js'
export { Budget } from './memory/budget.js'
export type { Platform } from './platform.js'
export type { ByteSink, ByteSource, PlacedChunk } from './ports/byte-source.js'
export type { Clock, Timers } from './ports/clock.js'
export type { Compressor } from './ports/compressor.js'
export type { Gear } from './ports/gear.js'
export type { Hasher } from './ports/hasher.js'
export type {
  Awaitable,
  KeyRange,
  KeyValue,
  KeyValueOp,
  KeyValueReader,
  KeyValueSnapshot,
  KeyValueStore,
} from './ports/key-value-store.js'
export type { Random } from './ports/random.js'
export {
  type ConnectOptions,
  openReplica,
  type PeerLink,
  type PeerStatus,
  Replica,
  type ReplicaOptions,
} from './replica.js'
export { type TransferState, Transfers } from './replica-transfers.js'
export type { AskForBytes, Custody } from './session/custody.js'
export { makeHello } from './session/hello.js'
export { COLLECT_EVERY_MS, Housekeeper, type HousekeeperOptions } from './session/housekeeper.js'
export { Session, type SessionHost } from './session/session.js'
export { SpacePeers } from './session/space-peers.js'
export { Space } from './space.js'
export type { SpaceOptions, WriteOptions } from './space-options.js'
export type { BlobAuthority } from './transfer/blob-authority.js'
export type { Compression } from './transfer/body-compressor.js'
export type { ReadRange } from './transfer/byte-streams.js'
export { ChunkCache } from './transfer/chunk-cache.js'
export type { TransferLimits } from './transfer/pace.js'
export type { UploadHint } from './transfer/upload-hints.js'
