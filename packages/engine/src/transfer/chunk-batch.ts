import { type ChunkId, DecodeError } from '@tidemark/protocol'
import type { ManifestEntry } from '../chunking/read-manifest.js'
import type { ByteSink } from '../ports/byte-source.js'
import type { FetchedChunk } from './range-chunks.js'

interface Wanted {
  readonly length: number
  /** Places in the file, bytes from its start. */
  readonly offsets: number[]
}

/** Chunks that are fetched together, and where they belong in the file. */
export class ChunkBatch {
  readonly #wanted = new Map<ChunkId, Wanted>()
  #bytes = 0
  #places = 0

  /** Distinct bytes. */
  get bytes(): number {
    return this.#bytes
  }

  get ids(): ReadonlySet<ChunkId> {
    return new Set(this.#wanted.keys())
  }

  /** Places: one chunk may stand at any number of them. */
  get count(): number {
    return this.#places
  }

  /** @throws {DecodeError} one chunk with two lengths: the manifest lies. */
  add({ id, offset, length }: ManifestEntry): void {
    const known = this.#wanted.get(id)
    this.#places += 1
    if (known) {
      if (known.length !== length) throw new DecodeError('manifest: one chunk has two lengths')
      known.offsets.push(offset)
    } else {
      this.#wanted.set(id, { length, offsets: [offset] })
      this.#bytes += length
    }
  }

  isWanted(id: ChunkId, length: number): boolean {
    return this.#wanted.get(id)?.length === length
  }

  /** Writes chunks wherever they belong; neighbours on both sides in one go. @returns bytes written. */
  async write(chunks: readonly FetchedChunk[], sink: ByteSink): Promise<number> {
    let written = 0
    for (const { offset, bytes } of this.#writes(chunks)) {
      await sink.write(offset, bytes)
      written += bytes.length
    }
    return written
  }

  *#writes(
    chunks: readonly FetchedChunk[],
  ): Generator<{ offset: number; bytes: Uint8Array }, void, undefined> {
    let run: { offset: number; bytes: Uint8Array } | undefined
    for (const { id, bytes } of chunks) {
      for (const offset of this.#wanted.get(id)?.offsets ?? []) {
        if (run && offset === run.offset + run.bytes.length && isNext(run.bytes, bytes)) {
          const length: number = run.bytes.length + bytes.length
          run = { offset: run.offset, bytes: new Uint8Array(bytes.buffer, run.bytes.byteOffset, length) }
        } else {
          if (run) yield run
          run = { offset, bytes }
        }
      }
    }
    if (run) yield run
  }
}

const isNext = (a: Uint8Array, b: Uint8Array): boolean =>
  a.buffer === b.buffer && a.byteOffset + a.length === b.byteOffset
