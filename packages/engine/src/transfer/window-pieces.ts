import type { ChunkId } from '@tidemark/protocol'
import type { ChunkList } from '../chunking/chunk-list.js'
import { chunkIdAt } from '../chunking/chunk-list.js'
import { packLength } from '../chunking/pack-format.js'
import type { Piece } from './upload-walk.js'

export const memoryPiece = (id: ChunkId, bytes: Uint8Array): Piece => ({
  id,
  length: bytes.length,
  from: { type: 'memory', bytes, isChunk: true },
})

/** The chunks of a window, which stand in `memory` back to back from its start. */
export function windowPieces(memory: Uint8Array, chunks: ChunkList): Piece[] {
  const pieces: Piece[] = []
  let at = 0
  for (let i = 0; i < chunks.count; i++) {
    const end = at + chunks.lengths[i]!
    pieces.push(memoryPiece(chunkIdAt(chunks, i), memory.subarray(at, end)))
    at = end
  }
  return pieces
}

/** Moves some of a window's pieces, in their order, together. @returns a pack that lacks its index. */
export function compact(memory: Uint8Array, pieces: readonly Piece[]): Uint8Array {
  let at = 0
  for (const { from, length } of pieces) {
    if (from.type !== 'memory') throw new TypeError('a piece of a window is in memory')
    const offset = from.bytes.byteOffset - memory.byteOffset
    if (offset !== at) memory.copyWithin(at, offset, offset + length)
    at += length
  }
  return memory.subarray(0, packLength(pieces.length, at))
}

/** A view would keep the window. */
export function copied(piece: Piece): Piece {
  if (piece.from.type !== 'memory') return piece
  return { ...piece, from: { ...piece.from, bytes: piece.from.bytes.slice() } }
}
