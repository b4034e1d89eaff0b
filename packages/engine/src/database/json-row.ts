const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Rows share buffers of this size: one buffer a row is what the garbage collector pays most for. */
const SLAB_BYTES = 32 * 1024
/** A larger row gets a buffer of its own. */
const SHARED_BYTES_MAX = 2 * 1024

/** Small rows that are not hot: JSON, readable in a dump. */
export const encodeJson = (row: unknown): Uint8Array => encodeText(JSON.stringify(row))

export function decodeJson<T>(bytes: Uint8Array | undefined): T | undefined {
  return bytes === undefined ? undefined : (JSON.parse(decoder.decode(bytes)) as T)
}

let slab = new Uint8Array(0)
let used = 0

/** UTF-8. Nearly every row is short and ASCII: then no call into the runtime is made. */
export function encodeText(text: string): Uint8Array {
  const { length } = text
  if (length > SHARED_BYTES_MAX) return encoder.encode(text)
  if (used + length > slab.length) {
    slab = new Uint8Array(SLAB_BYTES)
    used = 0
  }
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    if (code > 0x7f) return encoder.encode(text)
    slab[used + i] = code
  }
  used += length
  return slab.subarray(used - length, used)
}
