/** SHA-256, the only hash of the protocol. */
export interface Hasher {
  /** 32 bytes, at once; for small inputs. */
  sha256(bytes: Uint8Array): Uint8Array
  /** 32 bytes, off the calling thread where that pays; `bytes` must not change meanwhile. */
  sha256Async(bytes: Uint8Array): Promise<Uint8Array>
}
