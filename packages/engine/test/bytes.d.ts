import type { ByteSource } from '../src/index.js'
/** Bytes of xorshift32 (13, 17, 5) from `seed`, each state written low byte first. */
export declare function seededBytes(seed: number, length: number): Uint8Array
/** A source over bytes that may be changed by the test, with a count of what was asked of it. */
export declare class MemorySource implements ByteSource {
  readonly bytes: Uint8Array
  reads: number
  closed: boolean
  readonly size: number
  constructor(bytes: Uint8Array)
  read(offset: number, length: number): Promise<Uint8Array>
  close(): Promise<void>
}
//# sourceMappingURL=bytes.d.ts.map
