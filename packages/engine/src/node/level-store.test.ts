import { spawnSync } from 'node:child_process'
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
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

  it('[CR18] what is acknowledged after a full disk has room again is there at the next start', async () => {
    const home = await newDirectory()
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', home]).status !== 0) {
      process.stdout.write('not checked: a database on a full disk (this user may not mount)\n')
      return remove(home)
    }
    try {
      const store = await openLevelStore(join(home, 'database'))
      await store.batch([put('before', 1)], { sync: true })
      fill(join(home, 'filler'))
      const large = { type: 'put' as const, key: 'large', value: new Uint8Array(64 * 1024) }
      const full = { name: 'DatabaseError', code: 'NO_SPACE', retry: 'later' }
      await expect(store.batch([large], { sync: false })).rejects.toMatchObject(full)
      await expect(store.batch([put('refused', 1)], { sync: true })).rejects.toMatchObject(full)
      rmSync(join(home, 'filler'))
      await expect
        .poll(() => store.batch([put('after', 2)], { sync: true }).then(() => 'written', String), {
          timeout: 5_000,
        })
        .toBe('written')
      await store.close()
      const again = await openLevelStore(join(home, 'database'))
      const values = await again.getMany(['before', 'large', 'refused', 'after'])
      expect(values.map((value) => value?.[0])).toEqual([1, undefined, undefined, 2])
      await again.close()
    } finally {
      spawnSync('umount', ['-l', home])
      await remove(home)
    }
  })
})

const put = (key: string, value: number) => ({ type: 'put' as const, key, value: Uint8Array.of(value) })

/** Takes every byte that is left. */
function fill(path: string): void {
  const file = openSync(path, 'w')
  for (let size = 64 * 1024; size >= 1; ) {
    try {
      writeSync(file, new Uint8Array(size))
    } catch {
      size >>= 1
    }
  }
  closeSync(file)
}
