import { createCipheriv, createHash } from 'node:crypto'
import { closeSync, openSync, writeSync } from 'node:fs'

/** Incompressible bytes from a seed: an AES-128-CTR key stream, so that a file can be made again anywhere. */
export function writeRandomFile(path: string, size: number, seed: string): void {
  const key = createHash('sha256').update(seed).digest()
  const cipher = createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16))
  const zeros = Buffer.alloc(1 << 20)
  const fd = openSync(path, 'w')
  try {
    for (let done = 0; done < size; ) {
      const part = cipher.update(zeros.subarray(0, Math.min(zeros.length, size - done)))
      writeSync(fd, part)
      done += part.length
    }
  } finally {
    closeSync(fd)
  }
}

/** The same bytes as `writeRandomFile` writes, in memory. */
export function randomBytesOf(size: number, seed: string): Buffer {
  const key = createHash('sha256').update(seed).digest()
  return createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16)).update(Buffer.alloc(size))
}

/** Deterministic numbers in [0, 1): mulberry32. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
