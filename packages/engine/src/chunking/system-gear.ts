import type { Gear } from '../ports/gear.js'
import { PlainGear } from './plain-gear.js'
import { WasmGear } from './wasm-gear.js'

let shared: Gear | undefined

/** The faster one that runs here: a page may forbid WebAssembly, and some engines lack it. */
export function systemGear(): Gear {
  shared ??= wasmOrPlain()
  return shared
}

function wasmOrPlain(): Gear {
  try {
    return new WasmGear()
  } catch {
    return new PlainGear()
  }
}
