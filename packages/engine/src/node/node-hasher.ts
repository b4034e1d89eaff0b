import { hash, webcrypto } from 'node:crypto'
import { unshared } from '../adapters/unshared.js'
import type { Hasher } from '../ports/hasher.js'

/** Smaller inputs are hashed on the calling thread: handing them over copies them, and frees little. */
const POOL_BYTES_MIN = 128 * 1024

/** SHA-256 by node:crypto; larger inputs in the thread pool of the process. */
export const nodeHasher: Hasher = {
  sha256,
  sha256Async: async (bytes) =>
    bytes.length < POOL_BYTES_MIN
      ? sha256(bytes)
      : new Uint8Array(await webcrypto.subtle.digest('SHA-256', unshared(bytes))),
}

/** A plain array: `slice` of a Buffer does not copy. */
function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(hash('sha256', bytes, 'buffer'))
}
