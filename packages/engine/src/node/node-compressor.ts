import { setImmediate } from 'node:timers/promises'
import { promisify } from 'node:util'
import {
  deflateRaw,
  deflateRawSync,
  type InputType,
  inflateRaw,
  inflateRawSync,
  type ZlibOptions,
} from 'node:zlib'
import { DecodeError } from '@tidemark/protocol'
import type { Compressor } from '../ports/compressor.js'

/** Larger inputs are compressed in the thread pool. Smaller ones take a tenth of a millisecond, and handing them over as long. */
const DEFLATE_POOL_BYTES_MIN = 32 * 1024
/** The same for what is inflated, by its plain length: that is five times as fast. */
const INFLATE_POOL_BYTES_MIN = 128 * 1024
/** The calling thread does something else after so many bytes of small ones: about half a millisecond. */
const DEFLATE_TURN_BYTES = 64 * 1024
const INFLATE_TURN_BYTES = 256 * 1024
/** And after so many, however small: each takes about ten microseconds to begin. */
const TURN_COUNT = 64
/** The fastest one. On source code level 3 saves 7 percent more and takes a quarter longer, 6 a fifth and almost three times as long. */
const LEVEL = 1
/** The least that node:zlib takes. */
const BUFFER_BYTES_MIN = 64
/** What zlib looks back over, as a power of two. */
const WINDOW_BITS = { min: 9, max: 15 }

/** `info` of the options, which the types do not know. */
interface Inflated {
  readonly buffer: Uint8Array
  /** `bytesWritten`: input that was used. */
  readonly engine: { readonly bytesWritten: number }
}
const inflatedLater = promisify(inflateRaw) as unknown as (
  bytes: InputType,
  options: ZlibOptions,
) => Promise<Inflated>
const inflatedNow = inflateRawSync as unknown as (bytes: InputType, options: ZlibOptions) => Inflated
const deflatedLater = promisify(deflateRaw) as (bytes: InputType, options: ZlibOptions) => Promise<Uint8Array>

/** Lets others have their turn. */
class Turns {
  #bytes = 0

  constructor(private readonly bytesMax: number) {}

  async spend(bytes: number): Promise<void> {
    this.#bytes += Math.max(bytes, this.bytesMax / TURN_COUNT)
    if (this.#bytes < this.bytesMax) return
    this.#bytes = 0
    await setImmediate()
  }
}
const deflateTurns = new Turns(DEFLATE_TURN_BYTES)
const inflateTurns = new Turns(INFLATE_TURN_BYTES)

/** DEFLATE by node:zlib; larger inputs in the thread pool of the process. */
export const nodeCompressor: Compressor = {
  deflate: async (bytes) => {
    const { length } = bytes
    if (length < 2) return undefined
    const options = {
      level: LEVEL,
      // A small input in a large window costs more to set up than to compress.
      windowBits: Math.min(WINDOW_BITS.max, Math.max(WINDOW_BITS.min, Math.ceil(Math.log2(length)))),
      chunkSize: Math.max(BUFFER_BYTES_MIN, length),
      maxOutputLength: length - 1,
    }
    try {
      if (length >= DEFLATE_POOL_BYTES_MIN) return plainArray(await deflatedLater(bytes, options))
      await deflateTurns.spend(length)
      return plainArray(deflateRawSync(bytes, options))
    } catch (error) {
      if (codeOf(error) === 'ERR_BUFFER_TOO_LARGE') return undefined
      throw error
    }
  },
  inflate: async (bytes, length) => {
    const options = {
      // One byte more: the end of the stream is seen in the first round.
      chunkSize: Math.max(BUFFER_BYTES_MIN, length + 1),
      maxOutputLength: Math.max(1, length),
      info: true,
    }
    const isSmall = length < INFLATE_POOL_BYTES_MIN
    if (isSmall) await inflateTurns.spend(length)
    let inflated: Inflated
    try {
      inflated = isSmall ? inflatedNow(bytes, options) : await inflatedLater(bytes, options)
    } catch (error) {
      throw new DecodeError(`deflate: ${codeOf(error) ?? 'no stream'}`, { cause: error })
    }
    const { buffer, engine } = inflated
    if (buffer.length !== length) throw new DecodeError('deflate: another length than was said')
    if (engine.bytesWritten !== bytes.length) throw new DecodeError('deflate: bytes behind the end')
    return plainArray(buffer)
  },
}

/** `slice` of a Buffer does not copy. */
const plainArray = ({ buffer, byteOffset, length }: Uint8Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, length)

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code
