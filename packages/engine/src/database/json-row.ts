const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Small rows that are not hot: JSON, readable in a dump. */
export const encodeJson = (row: unknown): Uint8Array => encoder.encode(JSON.stringify(row))

export function decodeJson<T>(bytes: Uint8Array | undefined): T | undefined {
  return bytes === undefined ? undefined : (JSON.parse(decoder.decode(bytes)) as T)
}
