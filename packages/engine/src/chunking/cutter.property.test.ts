import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { seededBytes } from '../../test/bytes.js'
import { CHUNK_CLASS_MAX, CHUNK_CLASS_MIN } from './chunk-class.js'
import { Cutter } from './cutter.js'
import { PlainGear } from './plain-gear.js'
import { systemGear } from './system-gear.js'
import { WasmGear } from './wasm-gear.js'

const wasm = new WasmGear()
const plain = new PlainGear()

/** Bytes with runs of one value, repeats and noise. */
const bytesArb = (lengthMax: number) =>
  fc
    .array(
      fc.record({
        seed: fc.integer({ min: 0, max: 40 }),
        fill: fc.option(fc.integer({ min: 0, max: 255 })),
        length: fc.integer({ min: 1, max: lengthMax }),
      }),
      { minLength: 1, maxLength: 4 },
    )
    .map((parts) =>
      Buffer.concat(
        parts.map(({ seed, fill, length }) =>
          fill === null ? seededBytes(seed, length) : new Uint8Array(length).fill(fill),
        ),
      ),
    )

/** Ends of chunks, and how the cutter comes to them when the bytes arrive in windows of these lengths. */
function ends(
  bytes: Uint8Array,
  chunkClass: number,
  gear: PlainGear | WasmGear,
  windows: number[],
): number[] {
  const cutter = new Cutter(chunkClass, gear)
  const found: number[] = []
  for (let from = 0, turn = 0; from < bytes.length; turn++) {
    const window = bytes.subarray(from, from + windows[turn % windows.length]!)
    for (let at = cutter.next(window, 0); at >= 0; at = cutter.next(window, at)) found.push(from + at)
    from += window.length
  }
  return found
}

describe('gear', () => {
  test('[CT22] WebAssembly and plain JavaScript end a scan at the same byte, with the same hash', () => {
    fc.assert(
      fc.property(
        bytesArb(40_000),
        fc.nat(),
        fc.nat(),
        fc.integer(),
        fc.integer({ min: 0, max: 31 }),
        (bytes, a, b, hash, bits) => {
          const [from = 0, to = 0] = [a % bytes.length, b % (bytes.length + 1)].sort((x, y) => x - y)
          const mask = -1 << (32 - bits)
          const cut = wasm.scan(bytes, from, to, hash, mask)
          expect(cut).toBe(plain.scan(bytes, from, to, hash, mask))
          if (cut < 0) expect(wasm.hash).toBe(plain.hash)
        },
      ),
      { numRuns: 2_000 },
    )
  })

  test('[CT22] they cut alike, whatever the class and however the bytes arrive', () => {
    fc.assert(
      fc.property(
        bytesArb(600_000),
        fc.integer({ min: CHUNK_CLASS_MIN, max: 18 }),
        fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1, maxLength: 6 }),
        (bytes, chunkClass, windows) => {
          const whole = ends(bytes, chunkClass, plain, [bytes.length])
          expect(ends(bytes, chunkClass, wasm, [bytes.length])).toEqual(whole)
          expect(ends(bytes, chunkClass, wasm, [...windows, 100_000])).toEqual(whole)
          expect(ends(bytes, chunkClass, plain, [...windows, 100_000])).toEqual(whole)
        },
      ),
      { numRuns: 150 },
    )
  })

  test('[CT22] they cut alike in every class', () => {
    for (let chunkClass = CHUNK_CLASS_MIN; chunkClass <= CHUNK_CLASS_MAX; chunkClass++) {
      const bytes = seededBytes(chunkClass, 5 * 2 ** chunkClass)
      expect(ends(bytes, chunkClass, wasm, [1_000_003])).toEqual(
        ends(bytes, chunkClass, plain, [bytes.length]),
      )
    }
  })

  test('this platform has the one in WebAssembly; where that is missing, plain JavaScript cuts', async () => {
    expect(systemGear()).toBeInstanceOf(WasmGear)
    const scope = globalThis as { WebAssembly?: unknown }
    const { WebAssembly } = scope
    try {
      Reflect.deleteProperty(scope, 'WebAssembly')
      vi.resetModules()
      const again = await import('./system-gear.js')
      expect(again.systemGear().constructor.name).toBe('PlainGear')
    } finally {
      scope.WebAssembly = WebAssembly
    }
  })
})
