import type { BlobId, ChunkId } from '@tidemark/protocol'

/** A chunk inside a blob. */
export interface PackedChunk {
  readonly id: ChunkId
  /** Bytes from the start of the blob. */
  readonly offset: number
  readonly storedLength: number
  /** 0: stored plain. */
  readonly codec: number
  /** Plain bytes. */
  readonly length: number
}

/** A blob that the hub makes itself. */
export interface BuiltPack {
  readonly id: BlobId
  readonly bytes: Uint8Array
  readonly chunks: readonly PackedChunk[]
}

/** What the hub needs to know about packs; the engine's pack format implements it. */
export interface PackFormat {
  /**
   * What is inside, every chunk hashed and found to be what its id says.
   * @throws {DecodeError}, {LimitError} no pack; {ChunkMismatchError} a chunk is not what its id says.
   */
  verify(bytes: Uint8Array): Promise<readonly PackedChunk[]>
  /** One pack of these chunks, in this order. */
  build(chunks: readonly { readonly id: ChunkId; readonly bytes: Uint8Array }[]): Promise<BuiltPack>
}
