import { describe, expect, it } from 'vitest'
import type { KeyValueOp, KeyValueReader } from '../ports/key-value-store.js'
import { runKeyValueStoreConformance } from '../testing/key-value-store-conformance.js'
import { MemoryKeyValueStore } from './memory-store.js'

runKeyValueStoreConformance('memory', async () => ({ store: new MemoryKeyValueStore() }))

const put = (key: string): KeyValueOp => ({ type: 'put', key, value: Uint8Array.of(1) })

async function keysOf(reader: KeyValueReader): Promise<string[]> {
  const keys: string[] = []
  for await (const page of reader.range({ gte: '', lt: '\x7f' })) keys.push(...page.map(([key]) => key))
  return keys
}

describe('crashes and backups', () => {
  it('a crash keeps a prefix of the batches, at least up to the last durable one', async () => {
    const store = new MemoryKeyValueStore({ crashable: true })
    await store.batch([put('a')], { sync: false })
    await store.batch([put('b')], { sync: true })
    await store.batch([put('c')], { sync: false })
    await store.batch([put('d')], { sync: false })
    expect(store.unsyncedBatches).toBe(2)
    expect(await keysOf(store.crash(0))).toEqual(['a', 'b'])
    expect(await keysOf(store.crash(1))).toEqual(['a', 'b', 'c'])
    expect(await keysOf(store.crash(2))).toEqual(['a', 'b', 'c', 'd'])
    expect(() => store.crash(3)).toThrow(RangeError)
    expect(await keysOf(store)).toEqual(['a', 'b', 'c', 'd'])
  })

  it('what comes back from a crash can crash again, and does not touch the store it came from', async () => {
    const store = new MemoryKeyValueStore({ crashable: true })
    await store.batch([put('a')], { sync: true })
    const found = store.crash(0)
    await found.batch([put('b')], { sync: false })
    expect(await keysOf(found.crash(0))).toEqual(['a'])
    expect(await keysOf(found)).toEqual(['a', 'b'])
    expect(await keysOf(store)).toEqual(['a'])
  })

  it('a store that was not made crashable says so', () => {
    expect(() => new MemoryKeyValueStore().crash(0)).toThrow(TypeError)
  })

  it('a backup holds unsynced batches too, and nothing later', async () => {
    const store = new MemoryKeyValueStore({ crashable: true })
    await store.batch([put('a')], { sync: false })
    const backup = store.backup()
    await store.batch([put('b')], { sync: true })
    expect(await keysOf(backup)).toEqual(['a'])
    expect(await keysOf(backup.crash(0))).toEqual(['a'])
  })
})
