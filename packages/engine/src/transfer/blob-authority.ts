import type { BlobId, ChunkId, Grant, Located } from '@tidemark/protocol'

/**
 * The hub's word on bytes, for one space: what it has, what may be uploaded, where things are. A session
 * carries it over the wire; the hub implements it over its index and blob store.
 */
export interface BlobAuthority {
  /** @returns the subset that the hub lacks. The others are leased until the commit or 24 h. */
  need(chunks: readonly ChunkId[], signal?: AbortSignal): Promise<readonly ChunkId[]>
  /** @returns in the same order a grant, or `null` where the blob is already stored. */
  grantPuts(
    blobs: readonly { id: BlobId; length: number }[],
    signal?: AbortSignal,
  ): Promise<readonly (Grant | null)[]>
  /** Verifies and indexes uploaded packs. @returns those that are stored whole. */
  stored(blobs: readonly BlobId[], signal?: AbortSignal): Promise<readonly BlobId[]>
  /** Stores small chunks durably. @throws {ChunkMismatchError} and stores none. */
  putInline(chunks: readonly { id: ChunkId; bytes: Uint8Array }[], signal?: AbortSignal): Promise<void>
  /**
   * Places and grants for the chunks that the hub has; others are left out.
   * @param options.distrusted Blobs that gave wrong bytes: the hub looks for itself first. At most DISTRUSTED_BLOBS_MAX.
   */
  locate(
    chunks: readonly ChunkId[],
    options?: { readonly distrusted?: readonly BlobId[]; readonly signal?: AbortSignal },
  ): Promise<Pick<Located, 'blobs' | 'chunks'>>
}
