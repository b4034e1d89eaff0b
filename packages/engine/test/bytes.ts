import type { ByteSource } from '../src/index.js'

/** Bytes of xorshift32 (13, 17, 5) from `seed`, each state written low byte first. */
export function seededBytes(seed: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let state = seed
  for (let i = 0; i < length; i++) {
    if (i % 4 === 0) {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
    }
    bytes[i] = state >>> (8 * (i % 4))
  }
  return bytes
}

/** A source over bytes that may be changed by the test, with a count of what was asked of it. */
export class MemorySource implements ByteSource {
  reads = 0
  closed = false
  readonly size: number

  constructor(readonly bytes: Uint8Array) {
    this.size = bytes.length
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    this.reads++
    if (offset + length > this.size) throw new RangeError('read outside the source')
    return this.bytes.slice(offset, offset + length)
  }

  async close(): Promise<void> {
    this.closed = true
  }
}
