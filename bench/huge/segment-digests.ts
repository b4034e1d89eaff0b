import { createHash, type Hash } from 'node:crypto'
import { closeSync, ftruncateSync, openSync, readFileSync, statSync, writeSync } from 'node:fs'
import type { ByteSource } from '@tidemark/engine'

/** A program that was killed begins again with the segment that it was in. */
const SEGMENT_BYTES = 4 * 1024 * 1024
const DIGEST_BYTES = 32

/**
 * The hash of a file, in pieces that survive the program: SHA-256 of the SHA-256 of each 4 MiB, because what
 * is inside an unfinished SHA-256 cannot be written down.
 */
export class SegmentDigests {
  readonly #fd: number
  #done: number
  #hash = createHash('sha256')
  #inSegment = 0

  /** @param path Where the digests of whole segments are kept. */
  constructor(private readonly path: string) {
    this.#fd = openSync(path, 'a+')
    this.#done = Math.floor(readFileSync(path).length / DIGEST_BYTES)
    ftruncateSync(this.#fd, this.#done * DIGEST_BYTES)
  }

  /** Bytes of the file that are noted. */
  get notedBytes(): number {
    return this.#done * SEGMENT_BYTES
  }

  /** The next bytes of the file. */
  add(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + SEGMENT_BYTES - this.#inSegment)
      this.#hash.update(part)
      this.#inSegment += part.length
      at += part.length
      if (this.#inSegment === SEGMENT_BYTES) this.#note()
    }
  }

  /** Nothing more comes. @returns hex. */
  finish(): string {
    if (this.#inSegment > 0) this.#note()
    closeSync(this.#fd)
    return createHash('sha256').update(readFileSync(this.path)).digest('hex')
  }

  #note(): void {
    writeSync(this.#fd, this.#hash.digest())
    this.#hash = createHash('sha256')
    this.#inSegment = 0
    this.#done++
  }
}

/** What a program has noted of a file, bytes; the last segment may be shorter than it is counted. */
export const notedBytes = (path: string): number =>
  Math.floor((statSync(path, { throwIfNoEntry: false })?.size ?? 0) / DIGEST_BYTES) * SEGMENT_BYTES

/** What `SegmentDigests` says of a whole source. */
export async function digestOf(source: ByteSource): Promise<string> {
  const all: Hash = createHash('sha256')
  for (let offset = 0; offset < source.size; offset += SEGMENT_BYTES) {
    const part = await source.read(offset, Math.min(SEGMENT_BYTES, source.size - offset))
    all.update(createHash('sha256').update(part).digest())
  }
  return all.digest('hex')
}
