import type { ChunkId } from '@tidemark/protocol'
import type { Piece } from './upload-walk.js'

/** Ids that are remembered. A chunk that is forgotten is asked about again: a question more, no harm. */
const REMEMBERED_MAX = 262_144

/**
 * What one `ensureStored` knows of the chunks that it has met: each is dealt with once, and counted as
 * durable, wherever it occurs, when it is.
 */
export class DurableBytes {
  /** Bytes of the files that wait for this chunk; `durable`: nothing waits any more. */
  readonly #chunks = new Map<ChunkId, number | 'durable'>()
  #total = 0

  /** @param onProgress Is told how many bytes of the files are durable, in all. */
  constructor(private readonly onProgress: ((durableBytes: number) => void) | undefined) {}

  /** @returns the pieces that were not met before, one for each id. */
  meet(pieces: readonly Piece[]): Piece[] {
    const fresh: Piece[] = []
    let already = 0
    for (const piece of pieces) {
      const bytes = fileBytes(piece)
      const known = this.#chunks.get(piece.id)
      if (known === undefined) {
        fresh.push(piece)
        this.#chunks.set(piece.id, bytes)
      } else if (known === 'durable') already += bytes
      else this.#chunks.set(piece.id, known + bytes)
    }
    this.#add(already)
    return fresh
  }

  /** These are stored. */
  settle(pieces: readonly Piece[]): void {
    let settled = 0
    for (const { id } of pieces) {
      const waiting = this.#chunks.get(id)
      if (typeof waiting === 'number') settled += waiting
      this.#chunks.set(id, 'durable')
    }
    this.#add(settled)
    if (this.#chunks.size > REMEMBERED_MAX) this.#forgetDurable()
  }

  #forgetDurable(): void {
    for (const [id, state] of this.#chunks) if (state === 'durable') this.#chunks.delete(id)
  }

  #add(bytes: number): void {
    this.#total += bytes
    if (bytes > 0) this.onProgress?.(this.#total)
  }
}

/** Manifest nodes are none of the file's bytes. */
const fileBytes = ({ from, length }: Piece): number => (from.type === 'source' || from.isChunk ? length : 0)
