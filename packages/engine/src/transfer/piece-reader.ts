import { bytesToHex, ChunkMismatchError, SourceChangedError } from '@tidemark/protocol'
import { HashQueue } from '../chunking/hash-queue.js'
import type { ByteSource } from '../ports/byte-source.js'
import type { Hasher } from '../ports/hasher.js'
import type { Piece, PieceSource } from './upload-walk.js'

/** Consecutive pieces are read together up to this many bytes. */
const READ_BYTES_MAX = 4 * 1024 * 1024

/**
 * Reads the pieces, back to back, into `into`, each hashed and found to be what its id says.
 * A source is opened once for consecutive pieces, and closed.
 *
 * @throws {SourceChangedError} a source no longer has the bytes that were chunked.
 */
export async function readPieces(
  pieces: readonly Piece[],
  into: Uint8Array,
  hasher: Hasher,
  signal: AbortSignal,
): Promise<void> {
  const hashes = new HashQueue(hasher)
  const opened = new OneSource()
  let changed: SourceChangedError | undefined
  const check = (piece: Piece, bytes: Uint8Array): Promise<void> =>
    hashes.add(bytes, (digest) => {
      const actual = bytesToHex(digest)
      if (actual === piece.id) return
      const cause = new ChunkMismatchError(piece.id, actual)
      changed ??= new SourceChangedError('a file changed after it was chunked', { cause })
    })
  try {
    let at = 0
    for (const run of runs(pieces)) {
      signal.throwIfAborted()
      const [{ from }] = run as [Piece]
      if (from.type === 'memory') into.set(from.bytes, at)
      else {
        const length = run.reduce((sum, piece) => sum + piece.length, 0)
        const source = await opened.of(from.source)
        into.set(await source.read(from.offset, length), at)
      }
      for (const piece of run) {
        await check(piece, into.subarray(at, at + piece.length))
        at += piece.length
      }
      if (changed) throw changed
    }
  } finally {
    await opened.close()
    await hashes.settled()
  }
  if (changed) throw changed
}

/** Pieces that follow each other in one source, up to READ_BYTES_MAX; every other piece alone. */
function* runs(pieces: readonly Piece[]): Generator<readonly Piece[], void, undefined> {
  let run: Piece[] = []
  let end = 0
  let bytes = 0
  for (const piece of pieces) {
    const { from, length } = piece
    const last = run.at(-1)?.from
    const follows =
      from.type === 'source' && last?.type === 'source' && from.source === last.source && from.offset === end
    if (run.length > 0 && (!follows || bytes + length > READ_BYTES_MAX)) {
      yield run
      run = []
      bytes = 0
    }
    run.push(piece)
    bytes += length
    if (from.type === 'source') end = from.offset + length
  }
  if (run.length > 0) yield run
}

/** The source that was asked for last, open. */
class OneSource {
  #of: PieceSource | undefined
  #source: ByteSource | undefined

  async of(wanted: PieceSource): Promise<ByteSource> {
    if (this.#of === wanted && this.#source) return this.#source
    await this.close()
    this.#source = await wanted.open()
    this.#of = wanted
    if (this.#source.size !== wanted.size)
      throw new SourceChangedError('a file changed its size after it was chunked')
    return this.#source
  }

  async close(): Promise<void> {
    const source = this.#source
    this.#source = undefined
    await source?.close()
  }
}
