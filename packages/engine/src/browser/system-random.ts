import type { Random } from '../ports/random.js'

/** WebCrypto gives no more at once. */
const BYTES_MAX = 65_536

export const systemRandom: Random = {
  bytes(length) {
    const bytes = new Uint8Array(length)
    for (let at = 0; at < length; at += BYTES_MAX) {
      crypto.getRandomValues(bytes.subarray(at, Math.min(at + BYTES_MAX, length)))
    }
    return bytes
  },
}
