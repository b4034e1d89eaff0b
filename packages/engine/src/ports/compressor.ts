/** Raw DEFLATE (RFC 1951). Which bytes `deflate` makes is nobody's concern: every implementation inflates them. */
export interface Compressor {
  /** `bytes` must not change meanwhile. @returns raw DEFLATE, or `undefined` if that is not smaller */
  deflate(bytes: Uint8Array): Promise<Uint8Array | undefined>
  /**
   * Makes no more than about `length` bytes, whatever the stream says; `bytes` must not change meanwhile.
   * @throws {DecodeError} not exactly `length` bytes, or no DEFLATE stream
   */
  inflate(bytes: Uint8Array, length: number): Promise<Uint8Array>
}
