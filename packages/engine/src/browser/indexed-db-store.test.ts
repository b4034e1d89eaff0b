import 'fake-indexeddb/auto'
import { describe, expect, it } from 'vitest'
import { pageLocks } from '../../test/page-locks.js'
import { runKeyValueStoreConformance } from '../testing/key-value-store-conformance.js'
import { openIndexedDbStore } from './indexed-db-store.js'

let names = 0
const newName = () => `test-${++names}`
const put = (key: string, ...value: number[]) => ({
  type: 'put' as const,
  key,
  value: Uint8Array.from(value),
})
const SYNC = { sync: true }

runKeyValueStoreConformance('IndexedDB', async () => ({
  store: await openIndexedDbStore(newName(), { locks: pageLocks() }),
}))

describe('IndexedDB store', () => {
  it('what was written is there when it is opened again', async () => {
    const name = newName()
    const locks = pageLocks()
    const first = await openIndexedDbStore(name, { locks })
    await first.batch([put('a', 1, 2)], SYNC)
    await first.close()
    const second = await openIndexedDbStore(name, { locks })
    expect([...(await second.get('a'))!]).toEqual([1, 2])
    await second.close()
  })

  it('a second tab is told that the database is in use, one that comes while the first closes waits', async () => {
    const name = newName()
    const locks = pageLocks()
    const first = await openIndexedDbStore(name, { locks })
    await expect(openIndexedDbStore(name, { locks })).rejects.toMatchObject({
      name: 'DatabaseError',
      code: 'LOCKED',
    })
    const waiting = openIndexedDbStore(name, { locks })
    await first.close()
    await (await waiting).close()
  })

  it('a closed one says so', async () => {
    const store = await openIndexedDbStore(newName(), { locks: pageLocks() })
    await store.close()
    const closed = { name: 'DatabaseError', code: 'CLOSED' }
    await expect(store.batch([put('a', 1)], SYNC)).rejects.toMatchObject(closed)
    await expect(Promise.resolve(store.get('a'))).rejects.toMatchObject(closed)
  })

  it('a batch that cannot be stored changes nothing, and the next one is stored', async () => {
    const store = await openIndexedDbStore(newName(), { locks: pageLocks() })
    const broken = { type: 'put' as const, key: 'b', value: (() => 1) as unknown as Uint8Array }
    await expect(store.batch([put('a', 1), broken], SYNC)).rejects.toMatchObject({ name: 'DatabaseError' })
    expect(await store.getMany(['a', 'b'])).toEqual([undefined, undefined])
    await store.batch([put('a', 2)], SYNC)
    expect([...(await store.get('a'))!]).toEqual([2])
    await store.close()
  })

  it('a snapshot that is opened while batches are written holds all of a batch or nothing', async () => {
    const store = await openIndexedDbStore(newName(), { locks: pageLocks() })
    const keys = Array.from({ length: 300 }, (_, i) => `k${String(i).padStart(3, '0')}`)
    const writeAll = (n: number) =>
      store.batch(
        keys.map((key) => put(key, n)),
        { sync: false },
      )
    await writeAll(0)
    for (let n = 1; n <= 10; n++) {
      const writes = [writeAll(n)]
      const snapshot = store.snapshot()
      writes.push(writeAll(n + 100))
      const seen = new Set<number>()
      for await (const page of snapshot.range({ gte: 'k', lt: 'l' })) {
        for (const [, value] of page) seen.add(value[0]!)
        writes.push(writeAll(n + 200))
      }
      for (const value of await snapshot.getMany(keys)) seen.add(value![0]!)
      expect(seen.size).toBe(1)
      await Promise.all(writes)
      await snapshot.close()
    }
    await store.close()
  })
})
