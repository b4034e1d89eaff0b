import { FRAME_BYTES_TARGET, INLINE_BYTES_MAX } from '@tidemark/protocol'
import { type Piece, sumOf } from './upload-walk.js'

/** What one question finds needed goes by message up to this many bytes: two round trips fewer than a pack. */
const INLINE_TOTAL_BYTES_MAX = 1024 * 1024

export function fitsInline(pieces: readonly Piece[]): boolean {
  return sumOf(pieces) <= INLINE_TOTAL_BYTES_MAX && pieces.every(({ length }) => length <= INLINE_BYTES_MAX)
}

/** Divides pieces into messages of about FRAME_BYTES_TARGET. */
export function* messages(pieces: readonly Piece[]): Generator<readonly Piece[], void, undefined> {
  let message: Piece[] = []
  let bytes = 0
  for (const piece of pieces) {
    if (message.length > 0 && bytes + piece.length > FRAME_BYTES_TARGET) {
      yield message
      message = []
      bytes = 0
    }
    message.push(piece)
    bytes += piece.length
  }
  if (message.length > 0) yield message
}
