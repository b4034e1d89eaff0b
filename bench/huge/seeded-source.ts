import { createCipheriv, createHash } from 'node:crypto'
import type { ByteSource } from '@tidemark/engine'

const BLOCK_BYTES = 16

/** Incompressible bytes from a seed, any range at any time: an AES-128-CTR key stream, addressed by its counter. */
export function seededSource(seed: string, size: number): ByteSource {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16)
  let zeros = Buffer.alloc(0)
  return {
    size,
    read: async (offset, length) => {
      const skipped = offset % BLOCK_BYTES
      if (zeros.length < skipped + length) zeros = Buffer.alloc(skipped + length)
      const counter = Buffer.alloc(BLOCK_BYTES)
      counter.writeBigUInt64BE(BigInt((offset - skipped) / BLOCK_BYTES), 8)
      const cipher = createCipheriv('aes-128-ctr', key, counter)
      return cipher.update(zeros.subarray(0, skipped + length)).subarray(skipped)
    },
    close: async () => undefined,
  }
}
