import type { Gear } from '../ports/gear.js'
import { chunkBounds } from './chunk-class.js'
import { GEAR } from './gear-table.js'
import { systemGear } from './system-gear.js'

/** A 32-bit gear hash forgets a byte after this many more. */
const WINDOW_BYTES = 32
/** Bits by which cuts are made rarer before the average size and more frequent after it. */
const NORMALIZATION_LEVEL = 2

/**
 * Content-defined cut points of a stream of bytes: a gear hash with normalized chunking.
 * Source: Xia et al., "FastCDC", USENIX ATC 2016; bytes before the minimum size are skipped.
 *
 * Whether there is a cut after a byte depends on the 32 bytes that end with it and on the length of the
 * chunk so far; how the stream is divided into buffers changes nothing.
 */
export class Cutter {
  readonly #min: number
  readonly #average: number
  readonly #max: number
  readonly #rareMask: number
  readonly #frequentMask: number
  #hash = 0
  /** Bytes of the current chunk that were seen. */
  #length = 0

  /** @param chunkClassLog2 See `chunkClass`. */
  constructor(
    chunkClassLog2: number,
    private readonly gear: Gear = systemGear(),
  ) {
    const { min, average, max } = chunkBounds(chunkClassLog2)
    this.#min = min
    this.#average = average
    this.#max = max
    // The high bits: they depend on all bytes of the window, the low ones on the last few only.
    this.#rareMask = -1 << (32 - chunkClassLog2 - NORMALIZATION_LEVEL)
    this.#frequentMask = -1 << (32 - chunkClassLog2 + NORMALIZATION_LEVEL)
  }

  /**
   * Goes on at `bytes[from]`, where the last call ended.
   * @returns the index behind the last byte of the current chunk, or -1: all of `bytes` was seen and the
   *   chunk goes on.
   */
  next(bytes: Uint8Array, from: number): number {
    // Where the chunk began: below 0 in an earlier buffer.
    const start = from - this.#length
    const upTo = (length: number): number => Math.max(from, Math.min(bytes.length, start + length))
    const warm = upTo(this.#min - WINDOW_BYTES)
    const tested = upTo(this.#min - 1)
    this.#warm(bytes, warm, tested)
    let cut = this.#scan(bytes, tested, upTo(this.#average), this.#rareMask)
    if (cut < 0) cut = this.#scan(bytes, upTo(this.#average), upTo(this.#max), this.#frequentMask)
    if (cut < 0 && start + this.#max <= bytes.length) cut = start + this.#max
    if (cut < 0) {
      this.#length = bytes.length - start
      return -1
    }
    this.reset()
    return cut
  }

  /** Begins a chunk, whatever was seen of another one. */
  reset(): void {
    this.#hash = 0
    this.#length = 0
  }

  /** Takes in bytes after which there can be no cut. */
  #warm(bytes: Uint8Array, from: number, to: number): void {
    let hash = this.#hash
    for (let at = from; at < to; at++) hash = ((hash << 1) + GEAR[bytes[at]!]!) | 0
    this.#hash = hash
  }

  /** @returns the index behind the first byte that ends a chunk, or -1. */
  #scan(bytes: Uint8Array, from: number, to: number, mask: number): number {
    if (from >= to) return -1
    const cut = this.gear.scan(bytes, from, to, this.#hash, mask)
    if (cut < 0) this.#hash = this.gear.hash
    return cut
  }
}
