import { createHash, webcrypto } from 'node:crypto'
import type { Hasher } from '../ports/hasher.js'

/** Smaller inputs are hashed on the calling thread: handing them over costs more than it frees. */
const POOL_BYTES_MIN = 64 * 1024

/** SHA-256 by node:crypto; larger inputs in the thread pool of the process. */
export const nodeHasher: Hasher = {
  sha256: hash,
  sha256Async: async (bytes) =>
    bytes.length < POOL_BYTES_MIN
      ? hash(bytes)
      : new Uint8Array(await webcrypto.subtle.digest('SHA-256', bytes)),
}

function hash(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest()
}
