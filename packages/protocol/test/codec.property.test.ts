import { decode as decodeByOther } from '@msgpack/msgpack'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  bytesToHex,
  DecodeError,
  decodeContext,
  decodeMessage,
  decodeNodeEntry,
  encodeContext,
  encodeMessage,
  encodeNodeEntry,
  equalBytes,
  LimitError,
} from '../src/index.js'
import { arbitraryContext, arbitraryMessage, arbitraryMessages, arbitraryNodeEntry } from './arbitraries.js'

const isTyped = (error: unknown) => error instanceof DecodeError || error instanceof LimitError

/** Decodes, or gives the typed failure; anything else is thrown on. */
function attempt<T>(decode: (bytes: Uint8Array) => T, bytes: Uint8Array): T | undefined {
  try {
    return decode(bytes)
  } catch (error) {
    if (isTyped(error)) return undefined
    throw error
  }
}

describe('codec', () => {
  for (const [type, arbitrary] of Object.entries(arbitraryMessages)) {
    test(`[DC2] a ${type} message reads back as it was`, () => {
      fc.assert(
        fc.property(arbitrary as typeof arbitraryMessage, (message) => {
          expect(decodeMessage(encodeMessage(message))).toEqual(message)
        }),
        { numRuns: 60 },
      )
    })
  }

  test('[DC2] a node entry reads back as it was, unknown fields included', () => {
    fc.assert(
      fc.property(arbitraryNodeEntry, (entry) => {
        expect(decodeNodeEntry(encodeNodeEntry(entry))).toEqual(entry)
      }),
    )
  })

  test('[DC2] a context reads back as it was', () => {
    fc.assert(
      fc.property(arbitraryContext, (ctx) => {
        expect(decodeContext(encodeContext(ctx))).toEqual(ctx)
      }),
    )
  })

  test('frames are MessagePack as another implementation reads it', () => {
    fc.assert(
      fc.property(arbitraryMessage, (message) => {
        const [number, fields] = decodeByOther(encodeMessage(message)) as [number, Record<string, unknown>]
        expect(number).toBeGreaterThan(0)
        expect(Object.keys(fields).every((key) => /^\d+$/.test(key))).toBe(true)
      }),
      { numRuns: 200 },
    )
  })

  test('[DC3] an entry has one byte string: the order of siblings, vectors and dots in memory does not matter', () => {
    fc.assert(
      fc.property(arbitraryNodeEntry, (entry) => {
        const shuffled = {
          ...entry,
          loc: [...entry.loc].reverse().map((sibling) => ({
            ...sibling,
            ctx: {
              vector: new Map([...sibling.ctx.vector].reverse()),
              except: [...sibling.ctx.except].reverse(),
            },
          })),
          content: [...entry.content].reverse(),
          attr: [...entry.attr].reverse(),
        }
        expect(bytesToHex(encodeNodeEntry(shuffled))).toBe(bytesToHex(encodeNodeEntry(entry)))
      }),
    )
  })
})

describe('[DC1] any bytes give a value or a typed failure', () => {
  const decoders = { decodeMessage, decodeNodeEntry, decodeContext }
  for (const [name, decode] of Object.entries<(bytes: Uint8Array) => unknown>(decoders)) {
    test(`${name} of random bytes`, () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
          attempt(decode, bytes)
        }),
        { numRuns: 3_000 },
      )
    })
  }

  /** One edit of a valid frame: a byte changed, bytes cut out, bytes put in, the end cut off. */
  const edit = fc.record({
    kind: fc.constantFrom('set', 'cut', 'insert', 'truncate'),
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    byte: fc.oneof(
      fc.integer({ min: 0, max: 255 }),
      fc.constantFrom(0xc0, 0xc6, 0xcf, 0xdb, 0xdd, 0xdf, 0xff),
    ),
  })
  function mutate(
    bytes: Uint8Array,
    { kind, at, byte }: { kind: string; at: number; byte: number },
  ): Uint8Array {
    const list = [...bytes]
    const index = Math.floor(at * list.length)
    if (kind === 'set') list[index] = byte
    else if (kind === 'cut') list.splice(index, 1 + (byte % 4))
    else if (kind === 'insert') list.splice(index, 0, byte)
    else list.length = index
    return Uint8Array.from(list)
  }

  test('decodeMessage of valid frames with a few edits', () => {
    fc.assert(
      fc.property(arbitraryMessage, fc.array(edit, { minLength: 1, maxLength: 3 }), (message, edits) => {
        attempt(decodeMessage, edits.reduce(mutate, encodeMessage(message)))
      }),
      { numRuns: 2_000 },
    )
  })

  test('[DC3] what decodeNodeEntry accepts, encodeNodeEntry writes back byte for byte', () => {
    fc.assert(
      fc.property(arbitraryNodeEntry, fc.array(edit, { minLength: 1, maxLength: 3 }), (entry, edits) => {
        const bytes = edits.reduce(mutate, encodeNodeEntry(entry))
        const decoded = attempt(decodeNodeEntry, bytes)
        if (decoded !== undefined) expect(equalBytes(encodeNodeEntry(decoded), bytes)).toBe(true)
      }),
      { numRuns: 3_000 },
    )
  })
})
