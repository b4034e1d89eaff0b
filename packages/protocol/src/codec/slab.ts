/** Short byte strings share buffers of this size. */
const SLAB_BYTES = 32 * 1024
/** A longer one gets a buffer of its own. */
const SHARED_BYTES_MAX = 2 * 1024

let slab = new Uint8Array(0)
let used = 0

/**
 * A copy to keep. A buffer for each short byte string would cost more to allocate and to collect than the
 * bytes to copy, so short ones are views of a shared buffer: for what stays in memory or goes to a
 * database, not for a caller that might hand the buffer itself to somebody.
 */
export function copyToKeep(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const length = end - start
  if (length > SHARED_BYTES_MAX) return bytes.slice(start, end)
  if (used + length > slab.length) {
    slab = new Uint8Array(SLAB_BYTES)
    used = 0
  }
  slab.set(bytes.subarray(start, end), used)
  used += length
  return slab.subarray(used - length, used)
}
