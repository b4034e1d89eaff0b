import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { MESSAGES } from './codec/message-codec.js'
import { schemaText } from './codec/schema-text.js'

const FINGERPRINT = '4394a2be3d39fdb3'

test('the wire schema is the one that this version of the protocol names', () => {
  const actual = createHash('sha256').update(schemaText()).digest('hex').slice(0, 16)
  expect(
    actual,
    'The schema of the wire changed. Raise the minor in protocol-version.ts and add a line to its history ' +
      '(a major, if an old peer would misread it: then numbers were reused or a required field was added); ' +
      'write the vectors anew (see test/vectors.test.ts), keep the old ones as test/golden/<version>; ' +
      'bring docs/protocol.md up to date; then pin the new fingerprint here.',
  ).toBe(FINGERPRINT)
})

test('no two messages have one number', () => {
  const numbers = Object.values(MESSAGES).map(({ number }) => number)
  expect(new Set(numbers).size).toBe(numbers.length)
})
