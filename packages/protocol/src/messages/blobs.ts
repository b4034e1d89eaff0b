import type { BlobId, ChunkId, UploadId } from '../ids.js'
import type { Grant } from '../ports/blob-store.js'

/** Which of these chunks does the hub not have? */
export interface Need {
  readonly type: 'need'
  readonly request: number
  readonly channel: number
  readonly chunks: readonly ChunkId[]
}
/** Answer: the subset to upload. Every other id is leased until the commit or 24 h. */
export interface Needed {
  readonly type: 'needed'
  readonly request: number
  readonly chunks: readonly ChunkId[]
}

/** Asks for permission to put these blobs. */
export interface GrantPuts {
  readonly type: 'grant-puts'
  readonly request: number
  readonly channel: number
  readonly blobs: readonly { readonly id: BlobId; readonly length: number }[]
}
/** Answer to `grant-puts`, in the same order; `null`: the blob is already stored. */
export interface Grants {
  readonly type: 'grants'
  readonly request: number
  readonly grants: readonly (Grant | null)[]
}

/** The client says that it has uploaded these packs; the hub verifies and records what is inside. */
export interface Stored {
  readonly type: 'stored'
  readonly request: number
  readonly channel: number
  readonly blobs: readonly BlobId[]
}
/** Answer: those that are stored, whole, and indexed. The others must be sent again. */
export interface StoredResult {
  readonly type: 'stored-result'
  readonly request: number
  readonly blobs: readonly BlobId[]
}

/** Small chunks by message; the hub puts them into a pack of its own before it answers `stored-result` with no blobs. */
export interface PutInline {
  readonly type: 'put-inline'
  readonly request: number
  readonly channel: number
  readonly chunks: readonly { readonly id: ChunkId; readonly bytes: Uint8Array }[]
}

/** Where are these chunks? */
export interface Locate {
  readonly type: 'locate'
  readonly request: number
  readonly channel: number
  readonly chunks: readonly ChunkId[]
  /** Blobs that gave wrong bytes for chunks which the hub had placed there: it looks for itself before it answers. */
  readonly distrusted?: readonly BlobId[]
}
/** Answer: blobs with a grant each, and a place for every chunk that the hub has. Missing ones are left out. */
export interface Located {
  readonly type: 'located'
  readonly request: number
  readonly blobs: readonly { readonly id: BlobId; readonly grant: Grant }[]
  readonly chunks: readonly ChunkPlace[]
}
/** A file's content, by name: what `content` siblings say of it. */
export interface WantedVersion {
  readonly root: ChunkId
  readonly height: number
  /** Bytes. */
  readonly size: number
}
/**
 * The hub shows these contents and lacks bytes of them: it lost some, or was restored from a backup. Whoever
 * holds one whole uploads it, as if it were new; there is no answer.
 */
export interface Want {
  readonly type: 'want'
  readonly channel: number
  readonly versions: readonly WantedVersion[]
}
/** A chunk of a file that is on its way up, in order. */
export interface HintedChunk {
  readonly id: ChunkId
  /** Bytes. */
  readonly length: number
}
/**
 * A file is on its way up, and these chunks of it are at the hub, which tells the other replicas of the space: they
 * may fetch them before the entry comes that names the file. Advice: nobody keeps it or answers, it may be lost,
 * and it is no promise.
 */
export interface Hint {
  readonly type: 'hint'
  readonly channel: number
  readonly upload: UploadId
  /** Of the whole file, bytes. */
  readonly size: number
  /** Where the first of these chunks begins, bytes from the start of the file. */
  readonly offset: number
  readonly chunks: readonly HintedChunk[]
  /** Named with the last chunks: the file's root. */
  readonly root?: ChunkId
}
export interface ChunkPlace {
  readonly id: ChunkId
  /** Index into `blobs`. */
  readonly blob: number
  /** Bytes from the start of the blob. */
  readonly offset: number
  readonly storedLength: number
  /** 0: plain, 1: raw DEFLATE. */
  readonly codec: number
  /** Plain bytes. */
  readonly length: number
}
