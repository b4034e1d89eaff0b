import type { ChunkId } from '@tidemark/protocol'
import { packLength } from '../chunking/pack-format.js'
import { asPlain, DEFLATED, PLAIN, type StoredForm } from '../chunking/stored-chunk.js'
import { Budget } from '../memory/budget.js'
import type { Compressor } from '../ports/compressor.js'
import type { Pace } from './pace.js'
import { RateMeter } from './rate-meter.js'

/** Whether chunks are compressed before they go up: where it pays, never, or wherever they get smaller. */
export type Compression = 'auto' | 'off' | 'always'

const MODES: readonly string[] = ['auto', 'off', 'always'] satisfies Compression[]

/** @throws {RangeError} no mode. */
export function mustCompression(mode: string): void {
  if (!MODES.includes(mode)) throw new RangeError(`compression ${mode}: expected one of ${MODES.join(', ')}`)
}

/** What is compressed at once, plain: bounds what compressing takes beside the bodies themselves. */
const DEFLATING_BYTES_MAX = 8 * 1024 * 1024
const DEFLATING_MAX = 4
/** A sample is parts of a body, spread over it. */
const SAMPLE_PART_BYTES = 8 * 1024
const SAMPLE_PARTS_MAX = 8
/** A body has a part in its sample for so many bytes; one that has less is no longer than its sample would be. */
const SAMPLED_BYTES = 64 * 1024

interface ChunkInBody {
  readonly id: ChunkId
  /** Plain bytes. */
  readonly length: number
}

export interface CompressedBody {
  /** Of `packLength(…)` bytes: the chunks, and room for the index. */
  readonly pack: Uint8Array
  readonly chunks: readonly (StoredForm & ChunkInBody)[]
}

export interface BodyCompressorParts {
  readonly compressor: Compressor
  readonly pace: Pick<Pace, 'monotonicMs' | 'up'>
  /** @default 'auto' */
  readonly mode?: Compression | undefined
}

/**
 * Compresses the chunks of bodies that go up, where that pays: decision 0025. One for all spaces of a replica, because
 * they share the link and the processor.
 */
export class BodyCompressor {
  readonly #parts: BodyCompressorParts
  readonly #room = new Budget(DEFLATING_BYTES_MAX, DEFLATING_MAX)
  readonly #link: RateMeter
  readonly #deflating: RateMeter

  constructor(parts: BodyCompressorParts) {
    this.#parts = parts
    const nowMs = (): number => parts.pace.monotonicMs()
    this.#link = new RateMeter(nowMs)
    this.#deflating = new RateMeter(nowMs)
  }

  /** A body is on its way: how long that takes says how fast the link is. */
  sending<T>(bytes: number, send: () => Promise<T>): Promise<T> {
    return this.#link.measure(bytes, send)
  }

  /**
   * Compresses chunk by chunk, where they stand: none grows, so each is written before the next one begins, and the
   * body takes no more memory than it had.
   *
   * @param body The chunks back to back from its start, hashed, and behind them room for the index of a pack of them.
   * @throws what the compressor throws; the signal's reason. Then `body` is spoilt.
   */
  async compress(
    body: Uint8Array,
    chunks: readonly ChunkInBody[],
    signal: AbortSignal,
  ): Promise<CompressedBody> {
    const total = chunks.reduce((sum, { length }) => sum + length, 0)
    if (!(await this.#pays(body.subarray(0, total), signal))) {
      return { pack: body.subarray(0, packLength(chunks.length, total)), chunks: chunks.map(asPlain) }
    }
    const forms: (StoredForm & ChunkInBody)[] = []
    let [from, to] = [0, 0]
    for (const { id, length } of chunks) {
      const plain = body.subarray(from, from + length)
      const { codec, storedLength } = await this.#deflated(plain, signal, (deflated) => {
        if (isWorthIt(deflated, length)) {
          body.set(deflated, to)
          return { codec: DEFLATED, storedLength: deflated.length }
        }
        body.copyWithin(to, from, from + length)
        return { codec: PLAIN, storedLength: length }
      })
      forms.push({ id, codec, storedLength, length })
      from += length
      to += storedLength
    }
    return { pack: body.subarray(0, packLength(chunks.length, to)), chunks: forms }
  }

  async #pays(plain: Uint8Array, signal: AbortSignal): Promise<boolean> {
    const { mode = 'auto' } = this.#parts
    if (mode !== 'auto') return mode === 'always'
    if (plain.length >= SAMPLED_BYTES) {
      const sample = sampleOf(plain)
      const isSmaller = await this.#deflated(sample, signal, (deflated) => isWorthIt(deflated, sample.length))
      if (!isSmaller) return false
    }
    return this.#isLinkSlower
  }

  /** Slower than the compressor: it would wait for what to send. What nobody knows yet is taken to be slow. */
  get #isLinkSlower(): boolean {
    const [link, deflating] = [this.#link.bytesPerSecond, this.#deflating.bytesPerSecond]
    if (this.#parts.pace.up.isLimited || link === undefined || deflating === undefined) return true
    return link < deflating
  }

  /** @param use Is done with what it is given when it returns. */
  async #deflated<T>(
    plain: Uint8Array,
    signal: AbortSignal,
    use: (deflated: Uint8Array | undefined) => T,
  ): Promise<T> {
    const release = await this.#room.take(plain.length, signal)
    try {
      return use(await this.#deflating.measure(plain.length, () => this.#parts.compressor.deflate(plain)))
    } finally {
      release()
    }
  }
}

/** Whoever reads it has to inflate it: that is to save an eighth at least. */
const isWorthIt = (deflated: Uint8Array | undefined, length: number): deflated is Uint8Array =>
  deflated !== undefined && 8 * deflated.length <= 7 * length

/** Precondition: at least SAMPLED_BYTES. */
function sampleOf(plain: Uint8Array): Uint8Array {
  const count = Math.min(SAMPLE_PARTS_MAX, Math.floor(plain.length / SAMPLED_BYTES))
  const sample = new Uint8Array(count * SAMPLE_PART_BYTES)
  const step = Math.floor(plain.length / count)
  for (let i = 0; i < count; i++) {
    sample.set(plain.subarray(i * step, i * step + SAMPLE_PART_BYTES), i * SAMPLE_PART_BYTES)
  }
  return sample
}
