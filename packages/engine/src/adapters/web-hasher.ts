import { createSHA256 } from 'hash-wasm'
import type { Hasher } from '../ports/hasher.js'
import { unshared } from './unshared.js'

/**
 * SHA-256 where there is no node:crypto: WebCrypto, which is off the calling thread, and WebAssembly for
 * what must be known at once, or where WebCrypto is absent (pages that are not served securely).
 */
export async function createWebHasher(): Promise<Hasher> {
  const wasm = await createSHA256()
  const sha256 = (bytes: Uint8Array): Uint8Array => wasm.init().update(bytes).digest('binary')
  const subtle = globalThis.crypto?.subtle
  return {
    sha256,
    sha256Async: async (bytes) =>
      subtle ? new Uint8Array(await subtle.digest('SHA-256', unshared(bytes))) : sha256(bytes),
  }
}
