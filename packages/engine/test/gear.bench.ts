import { bench, describe } from 'vitest'
import { Cutter } from '../src/chunking/cutter.js'
import { PlainGear } from '../src/chunking/plain-gear.js'
import { WasmGear } from '../src/chunking/wasm-gear.js'
import { seededBytes } from './bytes.js'

/** `npx vitest bench --run packages/engine/test/gear.bench.ts`: one operation is 64 MiB of noise. */
const bytes = seededBytes(1, 64 * 2 ** 20)

for (const chunkClass of [14, 16, 18]) {
  describe(`64 MiB in chunks of about ${2 ** (chunkClass - 10)} KiB`, () => {
    for (const gear of [new WasmGear(), new PlainGear()]) {
      const cutter = new Cutter(chunkClass, gear)
      bench(gear.constructor.name, () => {
        for (let at = cutter.next(bytes, 0); at >= 0; at = cutter.next(bytes, at)) {}
        cutter.reset()
      })
    }
  })
}
