import type { ChunkId } from '@tidemark/protocol'
import type { Compressor } from '../ports/compressor.js'

/** Stored as it is. */
export const PLAIN = 0
/** Raw DEFLATE, RFC 1951. */
export const DEFLATED = 1

/** How a chunk stands in a blob. */
export interface StoredForm {
  /** 0: plain, 1: raw DEFLATE. */
  readonly codec: number
  /** Bytes in the blob. */
  readonly storedLength: number
  /** Plain bytes. */
  readonly length: number
}

export const asPlain = ({ id, length }: { readonly id: ChunkId; readonly length: number }) => ({
  id,
  codec: PLAIN,
  storedLength: length,
  length,
})

/** What is wrong with it, if anything: a codec of a later version, or lengths that its codec never has. */
export function flawOf({ codec, storedLength, length }: StoredForm): string | undefined {
  if (codec === PLAIN) return storedLength === length ? undefined : 'a plain chunk has two lengths'
  if (codec !== DEFLATED) return `unknown codec ${codec}`
  return storedLength > 0 && storedLength < length
    ? undefined
    : 'a compressed chunk is not shorter than plain'
}

/**
 * Precondition: `flawOf` finds nothing wrong. @returns `stored` itself where it is plain.
 * @throws {DecodeError} not what was compressed.
 */
export async function plainBytes(
  stored: Uint8Array,
  { codec, length }: Pick<StoredForm, 'codec' | 'length'>,
  compressor: Compressor,
): Promise<Uint8Array> {
  return codec === PLAIN ? stored : compressor.inflate(stored, length)
}
