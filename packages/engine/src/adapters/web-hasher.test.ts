import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { seededBytes } from '../../test/bytes.js'
import { nodeHasher } from '../node/node-hasher.js'
import { createWebHasher } from './web-hasher.js'

test('every hasher gives SHA-256, at once and later, of views into larger buffers too', async () => {
  for (const hasher of [nodeHasher, await createWebHasher()]) {
    const all = seededBytes(1, 300_000)
    for (const bytes of [all.subarray(0, 0), all.subarray(5, 1_000), all, all.subarray(7)]) {
      const expected = createHash('sha256').update(bytes).digest('hex')
      expect(Buffer.from(hasher.sha256(bytes)).toString('hex')).toBe(expected)
      expect(Buffer.from(await hasher.sha256Async(bytes)).toString('hex')).toBe(expected)
    }
    const shared = new Uint8Array(new SharedArrayBuffer(70_000)).fill(3)
    const expected = createHash('sha256').update(shared).digest('hex')
    expect(Buffer.from(await hasher.sha256Async(shared)).toString('hex')).toBe(expected)
  }
})
