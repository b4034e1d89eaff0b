export type {
  ChunkedFile,
  ChunkList,
  CommitResult,
  LinkState,
  Materialised,
  SpaceBinding,
  Upload,
} from './binding.js'
export type { NewContent, ParentRef, UserOp } from './core/user-op.js'
export { type EntryKey, entryKey, type Version, type ViewChange, type ViewEntry } from './core/view-entry.js'
export type { TreeReader } from './database/tree-reader.js'
export type { ByteSink, ByteSource } from './ports/byte-source.js'
export type { Clock, Timers } from './ports/clock.js'
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
export type { BlobAuthority } from './transfer/blob-authority.js'
