import { describe, expect, it } from 'vitest'
import { MemoryKeyValueStore } from '../adapters/memory-store.js'
import { Transaction } from './transaction.js'

const bytes = (value: number) => Uint8Array.of(value)

async function listOf(txn: Transaction): Promise<[string, number][]> {
  const found: [string, number][] = []
  for await (const page of txn.range({ gte: 'a', lt: 'z' })) {
    for (const [key, value] of page) found.push([key, value[0]!])
  }
  return found
}

async function newTransaction() {
  const store = new MemoryKeyValueStore()
  await store.batch(
    ['b', 'd', 'f'].map((key) => ({ type: 'put' as const, key, value: bytes(1) })),
    { sync: false },
  )
  return { store, txn: new Transaction(store) }
}

describe('transaction', () => {
  it('sees its own writes and deletions, in order, among those of the store', async () => {
    const { store, txn } = await newTransaction()
    txn.put('a', bytes(2))
    txn.put('d', bytes(2))
    txn.put('e', bytes(2))
    txn.put('x', bytes(2))
    txn.del('f')
    txn.del('unknown')
    const expected = [
      ['a', 2],
      ['b', 1],
      ['d', 2],
      ['e', 2],
      ['x', 2],
    ]
    expect(await listOf(txn)).toEqual(expected)
    expect(await txn.getMany(['f', 'd', 'b', 'd'])).toEqual([undefined, bytes(2), bytes(1), bytes(2)])
    expect(await txn.get('f')).toBeUndefined()
    expect(store.get('d')).toEqual(bytes(1))
    await txn.commit({ sync: true })
    expect(await listOf(new Transaction(store))).toEqual(expected)
  })

  it('a dropped transaction has done nothing', async () => {
    const { store, txn } = await newTransaction()
    txn.del('b')
    txn.put('c', bytes(2))
    expect(await listOf(new Transaction(store))).toEqual([
      ['b', 1],
      ['d', 1],
      ['f', 1],
    ])
  })

  it('a write after a listing is in the next one', async () => {
    const { txn } = await newTransaction()
    await listOf(txn)
    txn.put('c', bytes(3))
    txn.del('b')
    expect(await listOf(txn)).toEqual([
      ['c', 3],
      ['d', 1],
      ['f', 1],
    ])
  })

  it('many own writes come in pages', async () => {
    const txn = new Transaction(new MemoryKeyValueStore())
    for (let i = 0; i < 1_000; i++) txn.put(`k${String(i).padStart(4, '0')}`, bytes(1))
    const sizes: number[] = []
    for await (const page of txn.range({ gte: 'k', lt: 'l' })) sizes.push(page.length)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(256)
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(1_000)
  })

  it('reads a row of the store once, and its own later writes win over what it read', async () => {
    const { store } = await newTransaction()
    let reads = 0
    const counting = Object.assign(Object.create(store) as MemoryKeyValueStore, {
      get: (key: string) => {
        reads++
        return store.get(key)
      },
      getMany: (keys: readonly string[]) => {
        reads += keys.length
        return store.getMany(keys)
      },
    })
    const txn = new Transaction(counting)
    await txn.prefetch(['b', 'c', 'b', 'd'])
    const before = reads
    expect([await txn.get('b'), await txn.get('c')]).toEqual([bytes(1), undefined])
    expect(await txn.getMany(['d', 'c'])).toEqual([bytes(1), undefined])
    expect(reads).toBe(before)
    txn.del('b')
    txn.put('c', bytes(3))
    await txn.prefetch(['b', 'c'])
    expect(await txn.getMany(['b', 'c'])).toEqual([undefined, bytes(3)])
    expect(await txn.get('f')).toEqual(bytes(1))
    expect(await txn.get('f')).toEqual(bytes(1))
    expect(reads).toBe(before + 1)
  })

  it('a row that is written while the store is still reading it stays as it was written', async () => {
    const { store } = await newTransaction()
    const slow = Object.assign(Object.create(store) as MemoryKeyValueStore, {
      get: async (key: string) => store.get(key),
      getMany: async (keys: readonly string[]) => store.getMany(keys),
    })
    const txn = new Transaction(slow)
    const reading = [txn.get('b'), txn.prefetch(['d', 'f'])]
    txn.put('b', bytes(2))
    txn.del('d')
    await Promise.all(reading)
    expect(await txn.getMany(['b', 'd', 'f'])).toEqual([bytes(2), undefined, bytes(1)])
  })
})
