import type { Gear } from '../ports/gear.js'
import { GEAR } from './gear-table.js'

/** In plain JavaScript: where WebAssembly may not run. */
export class PlainGear implements Gear {
  hash = 0

  scan(bytes: Uint8Array, from: number, to: number, hash: number, mask: number): number {
    const gear = GEAR
    let rolled = hash
    for (let at = from; at < to; at++) {
      rolled = ((rolled << 1) + gear[bytes[at]!]!) | 0
      if ((rolled & mask) === 0) return at + 1
    }
    this.hash = rolled
    return -1
  }
}
