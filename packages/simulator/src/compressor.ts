import type { Compressor } from '@tidemark/engine'
import { DecodeError } from '@tidemark/protocol'

const RUN_MAX = 255

/** Runs of equal bytes, as pairs of count and byte: what zlib makes is another thing in each of its versions. */
export const compressor: Compressor = {
  deflate: async (bytes) => {
    const out: number[] = []
    for (let at = 0; at < bytes.length; ) {
      const start = at
      while (at < bytes.length && at - start < RUN_MAX && bytes[at] === bytes[start]) at += 1
      out.push(at - start, bytes[start]!)
    }
    return out.length < bytes.length ? Uint8Array.from(out) : undefined
  },
  inflate: async (bytes, length) => {
    const out = new Uint8Array(length)
    let at = 0
    for (let i = 0; i < bytes.length; i += 2) {
      const end = at + bytes[i]!
      if (end > length) throw new DecodeError('runs: more than was said')
      out.fill(bytes[i + 1] ?? 0, at, end)
      at = end
    }
    if (at !== length) throw new DecodeError('runs: less than was said')
    return out
  },
}
