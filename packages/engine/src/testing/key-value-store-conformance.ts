import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { KeyRange, KeyValueOp, KeyValueReader, KeyValueStore } from '../ports/key-value-store.js'

export interface KeyValueStoreFixture {
  readonly store: KeyValueStore
  /** Frees what `open` made; called after each test, when the store is closed. */
  dispose?(): Promise<void>
}

const put = (key: string, ...value: number[]): KeyValueOp => ({
  type: 'put',
  key,
  value: Uint8Array.from(value),
})
const del = (key: string): KeyValueOp => ({ type: 'del', key })
const ALL: KeyRange = { gte: '', lt: '\x7f' }
const NOW = { sync: false }
const keyAt = (i: number) => `k/${String(i).padStart(5, '0')}`

async function contents(reader: KeyValueReader, range: KeyRange = ALL): Promise<[string, number[]][]> {
  const found: [string, number[]][] = []
  for await (const page of reader.range(range)) for (const [key, value] of page) found.push([key, [...value]])
  return found
}

const bytes = (value: Uint8Array | undefined) => value && [...value]

/**
 * What every `KeyValueStore` promises (ports/key-value-store.ts). An adapter's test is one call.
 *
 * @param open An empty store of its own for each test.
 */
export function runKeyValueStoreConformance(name: string, open: () => Promise<KeyValueStoreFixture>): void {
  describe(`key-value store conformance: ${name}`, () => {
    let fixture: KeyValueStoreFixture
    let store: KeyValueStore

    beforeEach(async () => {
      fixture = await open()
      store = fixture.store
    })
    afterEach(async () => {
      await store.close()
      await fixture.dispose?.()
    })

    it('an unknown key is undefined, an empty value is not', async () => {
      await store.batch([put('a')], NOW)
      expect(bytes(await store.get('a'))).toEqual([])
      expect(await store.get('b')).toBeUndefined()
    })

    it('values are kept byte for byte', async () => {
      const value = Uint8Array.from({ length: 256 }, (_, i) => i)
      await store.batch([{ type: 'put', key: 'a', value }], NOW)
      expect(bytes(await store.get('a'))).toEqual([...value])
    })

    it('a value is a Uint8Array of its own length, whatever memory it came from', async () => {
      const memory = Uint8Array.from([9, 1, 2, 9])
      await store.batch([{ type: 'put', key: 'a', value: memory.subarray(1, 3) }], NOW)
      const value = await store.get('a')
      expect(value).toBeInstanceOf(Uint8Array)
      expect(bytes(value)).toEqual([1, 2])
    })

    it('getMany answers in the order asked, repeated and unknown keys included', async () => {
      await store.batch([put('a', 1), put('c', 3)], NOW)
      const found = await store.getMany(['c', 'b', 'a', 'c'])
      expect(found.map(bytes)).toEqual([[3], undefined, [1], [3]])
      expect(await store.getMany([])).toEqual([])
    })

    it('a later op of a batch wins over an earlier one of the same key', async () => {
      await store.batch([put('a', 1), put('a', 2), put('b', 1), del('b'), del('c'), put('c', 3)], NOW)
      expect(await contents(store)).toEqual([
        ['a', [2]],
        ['c', [3]],
      ])
    })

    it('deleting an unknown key, and an empty batch, change nothing', async () => {
      await store.batch([put('a', 1)], NOW)
      await store.batch([del('b')], NOW)
      await store.batch([], { sync: true })
      expect(await contents(store)).toEqual([['a', [1]]])
    })

    it('a range is in byte order, with its lower and without its upper bound', async () => {
      const keys = ['a', 'a/', 'a/b', 'a/b/c', 'a0', 'a%20', 'aZ', 'a_', 'b', '~']
      await store.batch(
        keys.map((key) => put(key, 1)),
        NOW,
      )
      const inOrder = [...keys].sort()
      expect((await contents(store)).map(([key]) => key)).toEqual(inOrder)
      const part = await contents(store, { gte: 'a/', lt: 'a0' })
      expect(part.map(([key]) => key)).toEqual(['a/', 'a/b', 'a/b/c'])
      expect(await contents(store, { gte: 'c', lt: 'd' })).toEqual([])
      expect(await contents(store, { gte: 'b', lt: 'a' })).toEqual([])
    })

    it('a long range comes in pages, complete and without repetition', async () => {
      const count = 3_000
      await store.batch(
        Array.from({ length: count }, (_, i) => put(keyAt((i * 7) % count), i % 256)),
        NOW,
      )
      const found: string[] = []
      let largestPage = 0
      for await (const page of store.range(ALL)) {
        largestPage = Math.max(largestPage, page.length)
        for (const [key] of page) found.push(key)
      }
      expect(found).toEqual(Array.from({ length: count }, (_, i) => keyAt(i)))
      expect(largestPage).toBeLessThanOrEqual(1_000)
    })

    it('writes during an iteration do not disturb it', async () => {
      const count = 2_000
      await store.batch(
        Array.from({ length: count }, (_, i) => put(keyAt(i), 1)),
        NOW,
      )
      const found: string[] = []
      for await (const page of store.range(ALL)) {
        for (const [key, value] of page) {
          found.push(key)
          expect(bytes(value)).toEqual([1])
        }
        await store.batch([del(keyAt(1_999)), put(keyAt(1_998), 2), put('k/01500x', 3)], NOW)
      }
      expect(found).toEqual(Array.from({ length: count }, (_, i) => keyAt(i)))
    })

    it('leaving an iteration releases it: the store can be written, read and closed', async () => {
      await store.batch(
        Array.from({ length: 2_000 }, (_, i) => put(keyAt(i), 1)),
        NOW,
      )
      for await (const page of store.range(ALL)) {
        expect(page.length).toBeGreaterThan(0)
        break
      }
      await store.batch([put('a', 1)], NOW)
      expect(bytes(await store.get('a'))).toEqual([1])
    })

    it('a snapshot is not changed by later batches', async () => {
      await store.batch([put('a', 1), put('b', 1)], NOW)
      const snapshot = store.snapshot()
      await store.batch([put('a', 2), del('b'), put('c', 2)], NOW)
      const later = store.snapshot()
      await store.batch([del('a')], NOW)
      expect(await contents(snapshot)).toEqual([
        ['a', [1]],
        ['b', [1]],
      ])
      expect(bytes(await snapshot.get('b'))).toEqual([1])
      expect((await snapshot.getMany(['a', 'c'])).map(bytes)).toEqual([[1], undefined])
      expect(await contents(later)).toEqual([
        ['a', [2]],
        ['c', [2]],
      ])
      expect(await contents(store)).toEqual([['c', [2]]])
      await snapshot.close()
      await later.close()
    })

    it('concurrent batches are all applied, in the order of the calls', async () => {
      const calls = Array.from({ length: 50 }, (_, i) =>
        store.batch([put('last', i), put(keyAt(i), i)], { sync: i % 10 === 0 }),
      )
      await Promise.all(calls)
      expect(bytes(await store.get('last'))).toEqual([49])
      expect(await contents(store, { gte: 'k/', lt: 'k0' })).toHaveLength(50)
    })

    it('closing twice is closing once', async () => {
      await store.close()
      await store.close()
    })
  })
}
