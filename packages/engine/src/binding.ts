import type { ChunkId, NodeEntry } from '@tidemark/protocol'
import type { Observable } from 'rxjs'
import type { ChunkList } from './chunking/chunk-list.js'
import type { UserOp } from './core/user-op.js'
import type { EntryKey, Version, ViewChange, ViewEntry } from './core/view-entry.js'
import type { TreeReader } from './database/tree-reader.js'
import type { ByteSink, ByteSource, PlacedChunk } from './ports/byte-source.js'
import type { KeyValueOp, KeyValueReader } from './ports/key-value-store.js'
import type { UploadHint } from './transfer/upload-hints.js'

/** A chunked file, ready to be stored. */
export interface ChunkedFile {
  readonly root: ChunkId
  readonly height: number
  readonly size: number
  /** Chunks in file order: flat, 32-byte ids and lengths. */
  readonly chunks: ChunkList
  /** Manifest nodes above them, bottom up; empty for `height` 0. */
  readonly manifest: readonly { readonly id: ChunkId; readonly bytes: Uint8Array }[]
}

/** A file whose bytes must be stored before its op is committed. */
export interface Upload {
  readonly file: ChunkedFile
  /** Opened when its bytes are needed, closed after. */
  open(): Promise<ByteSource>
}

export interface TransferOptions {
  readonly signal?: AbortSignal
  /** Bytes that arrived for good, in all; never decreases. */
  onProgress?(durableBytes: number): void
}

/** A file on this device that may share chunks with what is fetched: the version before, or a copy. */
export interface HeldFile {
  readonly version: Pick<Version, 'root' | 'height' | 'size'>
  /** Opened when a chunk of it is wanted, closed after. What it gives is hashed before it is believed. */
  open(): Promise<ByteSource>
}

export interface FetchOptions extends TransferOptions {
  /** Asked before the hub, first one first. */
  readonly held?: readonly HeldFile[]
}

export interface StoreOptions extends TransferOptions {
  /** What was chunked is remembered, so that an unchanged file is not read again after a crash. */
  readonly resume?: {
    /** Whatever changes when the bytes of the source do. */
    readonly fingerprint: string
    /** Whether a change from now on cannot leave the fingerprint as it is. */
    isSettled(): boolean
  }
}

/**
 * What a space offers to something that materialises it: a folder on disk, or a test.
 *
 * Three trees: remote = `received`; synced = `synced` plus the binder's own rows; local = what the
 * binder scans. `commit` makes local changes into writes whose contexts are what `synced` shows;
 * `materialised` records that the disk now shows an entry as `received` has it.
 */
export interface SpaceBinding {
  readonly received: TreeReader
  readonly synced: TreeReader

  /** The binder's own rows, in the same database and the same atomic batches: keys get a private prefix. */
  readonly rows: KeyValueReader
  writeRows(ops: readonly KeyValueOp[], options: { sync: boolean }): Promise<void>

  /** Chunks a source (memory bounded by a few chunks). */
  chunk(source: ByteSource, options: { signal?: AbortSignal }): Promise<ChunkedFile>
  /** Chunks a large file and stores it as it is read: each byte is read once. As `chunk` and `ensureStored`. */
  store(source: ByteSource, options: StoreOptions): Promise<ChunkedFile>
  /** Resolves when the hub has stored every chunk; at once where no hub is configured, see `LinkState`. */
  ensureStored(uploads: readonly Upload[], options: TransferOptions): Promise<void>
  /** Writes a version's bytes, each chunk verified: from files that are `held`, or from the hub. */
  fetch(
    version: Pick<Version, 'root' | 'height' | 'size'>,
    sink: ByteSink,
    options: FetchOptions,
  ): Promise<void>
  /**
   * Many small files (each one chunk, at most INLINE_BYTES_MAX bytes) in few requests. Missing ones are left
   * out; without a hub all that are not in memory.
   */
  fetchSmall(roots: readonly ChunkId[], options: { signal?: AbortSignal }): Promise<Map<ChunkId, Uint8Array>>
  /** Of files that others are sending: their chunks may be fetched before the entry comes. Advice, see `Hint`. */
  readonly hints$: Observable<UploadHint>
  /**
   * Writes those of these chunks that the hub has by now, each verified.
   * @returns those that came. @throws as `fetch`.
   */
  fetchChunks(
    chunks: readonly PlacedChunk[],
    sink: ByteSink,
    options: { readonly signal: AbortSignal },
  ): Promise<readonly PlacedChunk[]>
  /** Contents that the hub shows and lacks: who holds one stores it again with `ensureStored`. */
  readonly wanted: WantedByHub
  /** Emits when more are wanted. */
  readonly wanted$: Observable<void>

  /**
   * Turns user ops into register writes on `synced`, joined into both trees in one durable batch with
   * `rows` (computed from the result, so that the binder's rows are never behind its writes).
   *
   * @throws {DatabaseError} BEGINS_ANEW: see `begunAnew`. {TypeError} an op has a content that no peer takes of its kind of entry.
   */
  commit(ops: readonly UserOp[], rows: (result: CommitResult) => Promise<BinderRows>): Promise<CommitResult>

  /**
   * Entries whose received state may differ from the disk, oldest first, and nodes that are shown as before or
   * not at all but have other registers now. Empty while the received state holds dots above the frontier
   * (inside a round), until nothing more has come of it for two seconds. The binder looks each up in `received` and in its rows.
   */
  dirty(limit: number): Promise<readonly EntryKey[]>
  /**
   * The disk shows these entries as planned: takes their nodes' registers, as they were read for the
   * plan, over into `synced`, clears their dirty marks (unless something newer arrived since), marks
   * those of `touch` (also of these: not on the disk yet), and writes `rows`, in one batch.
   */
  materialised(
    done: readonly Materialised[],
    rows: readonly KeyValueOp[],
    options: { sync: boolean; touch?: readonly EntryKey[] },
  ): Promise<void>

  /** What a binder has to do with its rows after the database forgot what it knew. */
  readonly begunAnew: BegunAnew

  /** Marks entries dirty whose disk state the binder knows to differ (a name that it must still give). */
  touch(keys: readonly EntryKey[]): Promise<void>

  /** Emits after every change of the received tree that may have made something dirty. */
  readonly changed$: Observable<void>
  /** Whether a hub is configured, connected, past its first sync point; and whether both ends hold the same. */
  readonly link$: Observable<LinkState>
}

/**
 * Others collected what this device still had while it was away, or its database went back: both trees were
 * forgotten, and come from a peer again (docs/decisions/0017). The binder's rows are from before.
 */
export interface BegunAnew {
  /**
   * `no`: rows and trees belong together. `awaited`: the trees are empty, or half there; the binder waits.
   * `here`: `received` is the peer's state, `synced` is empty, and the binder puts its rows right. Until it has,
   * `dirty` is empty and `commit` fails. `changed$` tells.
   */
  readonly phase: 'no' | 'awaited' | 'here'
  /**
   * In pages: versions and directories that only this device had. They are in no tree any more: what the disk
   * has of them is new.
   */
  orphans(): AsyncIterable<readonly OrphanedEntry[]>
  /** The rows are what both trees can be compared with again; in one durable batch with the last of them. */
  settled(rows: readonly KeyValueOp[]): Promise<void>
}

export interface OrphanedEntry {
  /** As it was shown before. */
  readonly entry: ViewEntry
  /** What the peer shows of its node, if it was written over all of that: what the disk has is an edit of it. */
  readonly replaces: ViewEntry | undefined
}

/** Bytes that a hub shows and lacks. */
export interface WantedContent {
  readonly root: ChunkId
  /** Bytes. */
  readonly size: number
}

/** Kept in the database until the binder has looked. */
export interface WantedByHub {
  isEmpty(): Promise<boolean>
  /** Those of these roots that are wanted. */
  among(roots: readonly ChunkId[]): Promise<ReadonlySet<ChunkId>>
  /** All, in pages. */
  all(): AsyncIterable<readonly WantedContent[]>
  /** The hub has these now. */
  settle(roots: Iterable<ChunkId>): Promise<void>
  /** The binder does not hold what is left. */
  clear(): Promise<void>
}

/** What a binder adds to the batch of a commit. */
export interface BinderRows {
  readonly ops: readonly KeyValueOp[]
  /** As `touch`: a crash after the commit must not forget them. */
  readonly touch: readonly EntryKey[]
}

export interface Materialised {
  readonly key: EntryKey
  /** The entry as planned; `undefined`: it is gone. */
  readonly as: ViewEntry | undefined
  /** The registers of its nodes as they were read for the plan: these are taken over, nothing newer. */
  readonly nodes: readonly NodeEntry[]
}

export interface CommitResult {
  /** Entries made by `create` ops, by `ref`. */
  readonly created: ReadonlyMap<string, ViewEntry>
  /** All changes of the synced view. */
  readonly changes: readonly ViewChange[]
}

export interface LinkState {
  /** There is a link to a hub, or to a peer that never answered and may be one. */
  readonly configured: boolean
  readonly connected: boolean
  /** Why it is not: what the last attempt, or session, ended with, or why a peer refuses this space alone. */
  readonly error?: Error
  /** A sync point was reached at least once in the life of this database. */
  readonly everSynced: boolean
  /** The hub's frontier covers ours and ours covers the hub's; where this device may only read, the latter. */
  readonly equal: boolean
  /** The hub takes no changes from this device. Known while connected. */
  readonly readOnly: boolean
  /** Writes that were made here wait, because the hub takes none. */
  readonly unsent: boolean
  /** The hub may lack bytes of what was written here; a space of a folder says so by the folder's status. */
  readonly uploading: boolean
}
