import { CHUNK_ID_BYTES, type ChunkId, IDS_PER_REQUEST_MAX } from '@tidemark/protocol'
import type { ChunkedFile, Upload } from '../binding.js'
import type { ChunkList } from '../chunking/chunk-list.js'
import { chunkIdAt } from '../chunking/chunk-list.js'
import type { ByteSource } from '../ports/byte-source.js'

/** A file whose bytes can be read when they are needed. */
export interface PieceSource {
  /** Bytes. */
  readonly size: number
  /** Closed after use. */
  open(): Promise<ByteSource>
}

/** Something that must be stored, and where its bytes are. */
export interface Piece {
  readonly id: ChunkId
  /** Plain bytes. */
  readonly length: number
  readonly from:
    | {
        readonly type: 'source'
        readonly source: PieceSource
        /** Bytes from its start. */
        readonly offset: number
      }
    | {
        readonly type: 'memory'
        readonly bytes: Uint8Array
        /** A chunk of a file, not a node. */
        readonly isChunk: boolean
      }
}

/** Every chunk and manifest node of the files, in file order; a file's nodes after what they name. */
export function* filePieces(uploads: readonly Upload[]): Generator<Piece, void, undefined> {
  for (const { file, open } of uploads) {
    yield* chunkPieces(file.chunks, { size: file.size, open }, 0)
    yield* nodePieces(file.manifest)
  }
}

/** @param offset Of the first chunk in the source. */
export function* chunkPieces(
  chunks: ChunkList,
  source: PieceSource,
  offset: number,
): Generator<Piece, void, undefined> {
  for (let i = 0; i < chunks.count; i++) {
    const length = chunks.lengths[i]!
    yield { id: chunkIdAt(chunks, i), length, from: { type: 'source', source, offset } }
    offset += length
  }
}

export function* nodePieces(manifest: ChunkedFile['manifest']): Generator<Piece, void, undefined> {
  for (const { id, bytes } of manifest) {
    yield { id, length: bytes.length, from: { type: 'memory', bytes, isChunk: false } }
  }
}

/** As many pieces as one question may ask about. */
export function* questions(pieces: Iterable<Piece>): Generator<readonly Piece[], void, undefined> {
  let group: Piece[] = []
  for (const piece of pieces) {
    group.push(piece)
    if (group.length < IDS_PER_REQUEST_MAX) continue
    yield group
    group = []
  }
  if (group.length > 0) yield group
}

/** @throws {TypeError} the lists of a file contradict each other: a defect of the caller. */
export function checkFile({ file }: Upload): void {
  const { count, ids, lengths } = file.chunks
  if (count < 1 || ids.length !== count * CHUNK_ID_BYTES || lengths.length !== count) {
    throw new TypeError('upload: ids, lengths and count of the chunks differ')
  }
}

/** Bytes. */
export const sumOf = (pieces: readonly Piece[]): number => pieces.reduce((sum, { length }) => sum + length, 0)
