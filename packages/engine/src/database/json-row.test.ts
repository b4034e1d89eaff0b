import fc from 'fast-check'
import { expect, it } from 'vitest'
import { decodeJson, encodeJson, encodeText } from './json-row.js'

it('text of every kind and length becomes its UTF-8, and rows do not touch each other', () => {
  const text = fc.oneof(
    fc.string({ maxLength: 60 }),
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.integer({ min: 1_900, max: 2_100 }).map((length) => 'x'.repeat(length)),
    fc.integer({ min: 0, max: 40_000 }).map((length) => 'y'.repeat(length)),
  )
  fc.assert(
    fc.property(fc.array(text, { maxLength: 100 }), (texts) => {
      const rows = texts.map(encodeText)
      expect(rows.map((row) => [...row])).toEqual(texts.map((each) => [...new TextEncoder().encode(each)]))
    }),
  )
})

it('a row is read as it was written', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const plain = JSON.parse(JSON.stringify(value))
      expect(decodeJson(encodeJson(value))).toEqual(plain)
    }),
  )
})
