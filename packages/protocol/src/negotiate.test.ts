import { describe, expect, test } from 'vitest'
import { FRAME_BYTES_MAX } from './limits.js'
import { negotiate } from './negotiate.js'

type Offer = Parameters<typeof negotiate>[0]
const offer = (changes: Partial<Offer> = {}): Offer => ({
  minor: [0, 0],
  features: [],
  required: [],
  frameBytesMax: FRAME_BYTES_MAX,
  ...changes,
})

describe('negotiation', () => {
  test.each([
    ['one version', [0, 0], [0, 0], 0],
    ['the highest of both', [0, 3], [1, 5], 3],
    ['one inside the other', [0, 9], [2, 4], 4],
  ] as const)('minor: %s', (_, a, b, minor) => {
    expect(negotiate(offer({ minor: a }), offer({ minor: b })).minor).toBe(minor)
    expect(negotiate(offer({ minor: b }), offer({ minor: a })).minor).toBe(minor)
  })

  test('no common minor is VERSION, at both ends', () => {
    const [a, b] = [offer({ minor: [0, 1] }), offer({ minor: [2, 3] })]
    expect(() => negotiate(a, b)).toThrow(expect.objectContaining({ code: 'VERSION' }))
    expect(() => negotiate(b, a)).toThrow(expect.objectContaining({ code: 'VERSION' }))
  })

  test('features are those that both named, required ones included', () => {
    const a = offer({ features: ['x', 'c', 'a'], required: ['r'] })
    const b = offer({ features: ['r', 'a', 'c', 'y'] })
    expect(negotiate(a, b).features).toEqual(['a', 'c', 'r'])
    expect(negotiate(b, a)).toEqual(negotiate(a, b))
  })

  test('a required feature that the other end did not name is FEATURE, at both ends', () => {
    const [a, b] = [offer({ required: ['r'] }), offer({ features: ['s'] })]
    expect(() => negotiate(a, b)).toThrow(expect.objectContaining({ code: 'FEATURE' }))
    expect(() => negotiate(b, a)).toThrow(expect.objectContaining({ code: 'FEATURE' }))
  })

  test('who takes no frame of FRAME_BYTES_MAX is refused, at both ends: one entry may need it', () => {
    const short = offer({ frameBytesMax: FRAME_BYTES_MAX - 1 })
    expect(() => negotiate(short, offer())).toThrow(expect.objectContaining({ code: 'UNEXPECTED_MESSAGE' }))
    expect(() => negotiate(offer(), short)).toThrow(expect.objectContaining({ code: 'UNEXPECTED_MESSAGE' }))
    expect(() => negotiate(offer({ frameBytesMax: 2 ** 40 }), offer())).not.toThrow()
  })
})
