import type { Gear } from '../ports/gear.js'
import { GEAR } from './gear-table.js'
import { GEAR_WASM } from './gear-wasm.js'

/** Where things stand in its memory: `gear.wat`. Bytes. */
const HASH_AT = 1024
const BYTES_AT = 2048
/** Bytes that are copied in and scanned together: what the first cache of a core holds. */
const PIECE_BYTES = 16 * 1024

/** The types of Node do not have it, and those of browsers have too much. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: unknown }
}

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer }
  scan(length: number, hash: number, mask: number): number
}

/** In WebAssembly: `gear.wat`. Bytes are copied into its memory of one page, a few at a time. */
export class WasmGear implements Gear {
  hash = 0
  readonly #exports: Exports
  readonly #bytes: Uint8Array
  readonly #ended: Int32Array

  /** @throws whatever the platform says where WebAssembly is missing, or is forbidden to a page. */
  constructor() {
    // Compiled at once: browsers do that on their main thread for modules of less than 4 KiB.
    const module = new WebAssembly.Module(GEAR_WASM)
    this.#exports = new WebAssembly.Instance(module).exports as Exports
    const { buffer } = this.#exports.memory
    new Int32Array(buffer).set(GEAR)
    this.#ended = new Int32Array(buffer, HASH_AT, 1)
    this.#bytes = new Uint8Array(buffer, BYTES_AT, PIECE_BYTES)
  }

  scan(bytes: Uint8Array, from: number, to: number, hash: number, mask: number): number {
    this.hash = hash
    for (let at = from; at < to; at += PIECE_BYTES) {
      const length = Math.min(PIECE_BYTES, to - at)
      this.#bytes.set(bytes.subarray(at, at + length))
      const upTo = this.#exports.scan(length, this.hash, mask)
      if (upTo > 0) return at + upTo
      this.hash = this.#ended[0]!
    }
    return -1
  }
}
