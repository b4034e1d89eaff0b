/**
 * The inner loop of chunking: a 32-bit gear hash over bytes, `hash = 2 * hash + GEAR[byte]`. Every
 * implementation ends at the same byte: which one runs changes no chunk.
 */
export interface Gear {
  /**
   * Goes on from `hash` over `bytes[from, to)`.
   * @returns the index behind the first byte after which no bit of `mask` is set in the hash, or -1.
   */
  scan(bytes: Uint8Array, from: number, to: number, hash: number, mask: number): number
  /** After a scan that ended with -1: the hash after its last byte. 32 bits, signed. */
  readonly hash: number
}
