import { bytesToHex, decodeNodeEntry, encodeNodeEntry, hexToBytes } from '@tidemark/protocol'
import { describe, expect, test } from 'vitest'
import { MemoryKeyValueStore } from '../src/adapters/memory-store.js'
import { joinEntries } from '../src/core/register.js'
import { referenceView } from '../src/core/view/reference.js'
import { Transaction } from '../src/database/transaction.js'
import { Tree } from '../src/database/tree.js'
import { JOIN_CASES } from './vectors/join-cases.js'
import { inOrder, vectorFiles } from './vectors/vectors.js'
import { VIEW_CASES } from './vectors/view-cases.js'
import { sha256 } from './vectors/vocabulary.js'

/**
 * The vectors in test/vectors/*.json, for implementations in any language (test/vectors/check.py is one).
 * They are written anew by `npx vitest run packages/engine/test/vectors.test.ts -u`. A changed vector
 * means that replicas of two versions show different trees: that is a new protocol version.
 */
describe('vectors', () => {
  for (const [file, content] of Object.entries(vectorFiles())) {
    test(`${file} is what this code computes`, async () => {
      await expect(`${JSON.stringify(content, null, 1)}\n`).toMatchFileSnapshot(`vectors/${file}`)
    })
  }

  for (const { name, a, b } of JOIN_CASES) {
    test(`[J1] join in either order, and again: ${name}`, () => {
      const joined = bytesToHex(encodeNodeEntry(joinEntries(a, b)))
      expect(bytesToHex(encodeNodeEntry(joinEntries(b, a)))).toBe(joined)
      expect(bytesToHex(encodeNodeEntry(joinEntries(joinEntries(a, b), b)))).toBe(joined)
    })
  }

  for (const { name, entries } of VIEW_CASES) {
    test(`[V13] view in either order, from the wire too: ${name}`, () => {
      const view = inOrder(referenceView(entries, sha256))
      const decoded = entries.map((entry) => decodeNodeEntry(hexToBytes(bytesToHex(encodeNodeEntry(entry)))))
      expect(inOrder(referenceView(decoded.reverse(), sha256))).toEqual(view)
    })

    test(`[V16] the incremental view of the database: ${name}`, async () => {
      const tree = new Tree({ prefix: 't/', sha256, view: true })
      const store = new MemoryKeyValueStore()
      for (const entry of entries) {
        const txn = new Transaction(store)
        await tree.join(txn, [entry])
        await txn.commit({ sync: false })
      }
      const reader = tree.reader(store)
      for (const expected of referenceView(entries, sha256)) {
        expect(await reader.lookup(expected.parent, expected.name)).toEqual(expected)
      }
    })
  }
})
