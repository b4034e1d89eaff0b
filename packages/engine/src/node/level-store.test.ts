import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runKeyValueStoreConformance } from '../testing/key-value-store-conformance.js'
import { openLevelStore } from './level-store.js'

const newDirectory = () => mkdtemp(join(tmpdir(), 'tidemark-level-'))
const remove = (directory: string) => rm(directory, { recursive: true, force: true })

runKeyValueStoreConformance('level', async () => {
  const directory = await newDirectory()
  return { store: await openLevelStore(directory), dispose: () => remove(directory) }
})

describe('level store', () => {
  it('what was written is there when it is opened again', async () => {
    const directory = await newDirectory()
    const first = await openLevelStore(directory)
    await first.batch([{ type: 'put', key: 'a', value: Uint8Array.of(1, 2) }], { sync: true })
    await first.close()
    const second = await openLevelStore(directory)
    expect([...(await second.get('a'))!]).toEqual([1, 2])
    await second.close()
    await remove(directory)
  })

  it('a second opener is told that the database is in use', async () => {
    const directory = await newDirectory()
    const store = await openLevelStore(directory)
    await expect(openLevelStore(directory)).rejects.toMatchObject({ name: 'DatabaseError', code: 'LOCKED' })
    await store.close()
    await remove(directory)
  })
})
