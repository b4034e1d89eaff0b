import type { ChunkId } from '@tidemark/protocol'

/** Random-access bytes of a fixed size: a path, a Blob, a handle, memory. */
export interface ByteSource {
  /** Bytes. */
  readonly size: number
  /**
   * Exactly `length` bytes from `offset`.
   * @param into At least `length` bytes of memory. A source may fill it and answer with a view on it, instead
   *   of making new memory; it may as well ignore it.
   * @throws {SourceChangedError} the source is no longer what it was when it was opened.
   */
  read(offset: number, length: number, into?: Uint8Array): Promise<Uint8Array>
  close(): Promise<void>
}

/** A chunk where it belongs in a file. */
export interface PlacedChunk {
  readonly id: ChunkId
  /** Bytes from the start of the file. */
  readonly offset: number
  /** Bytes. */
  readonly length: number
}

/** Where a download writes: any offset, any order, each byte at least once. */
export interface ByteSink {
  write(offset: number, bytes: Uint8Array): Promise<void>
  /**
   * What an interrupted attempt left at this range, if anything: a chunk whose bytes are there already
   * is verified and not fetched again.
   */
  read?(offset: number, length: number): Promise<Uint8Array | undefined>
  /** Whether exactly this chunk was verified by this process and written here: it is not read again. */
  has?(chunk: PlacedChunk): boolean
}
