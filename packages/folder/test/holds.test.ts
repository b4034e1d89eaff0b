import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { type BindOptions, bind, hub, onDisk, paths } from './fixture.js'

async function folderOf(count: number, options: BindOptions = {}) {
  const bound = await bind({ maxDelete: { count: 3 }, ...options })
  fs.mkdirSync(bound.path('d'))
  for (let i = 0; i < count; i++) fs.writeFileSync(bound.path(`d/${i}`), `${i}`)
  await bound.binding.settled()
  return bound
}

test('[FB8] more deletions than allowed are held until they are accepted', async () => {
  const { space, binding, path } = await folderOf(5)
  fs.rmSync(path('d'), { recursive: true })
  const held = await binding.settled()
  expect(held).toMatchObject({ state: 'held', held: { deletes: 6, entries: 6 } })
  expect(await paths(space)).toHaveLength(6)
  fs.writeFileSync(path('other'), 'other changes go on')
  await expect.poll(() => paths(space)).toContain('other')
  await binding.accept()
  expect((await binding.settled()).state).toBe('idle')
  expect(await paths(space)).toEqual(['other'])
})

test('held deletions that are reverted come back to disk', async () => {
  const { space, binding, path, directory } = await folderOf(5, { hub: await hub() })
  const before = onDisk(directory)
  fs.rmSync(path('d'), { recursive: true })
  expect((await binding.settled()).state).toBe('held')
  await binding.revert()
  expect((await binding.settled()).state).toBe('idle')
  expect(onDisk(directory)).toEqual(before)
  expect(await paths(space)).toHaveLength(6)
})

test('held deletions that a person undoes are not held any more', async () => {
  const { space, binding, path } = await folderOf(5)
  fs.renameSync(path('d'), `${path('')}.away`)
  expect((await binding.settled()).state).toBe('held')
  fs.renameSync(`${path('')}.away`, path('d'))
  expect((await binding.settled()).state).toBe('idle')
  expect(await paths(space)).toHaveLength(6)
})

test('few deletions are not held, whatever their share', async () => {
  const { space, binding, path } = await folderOf(2)
  fs.rmSync(path('d'), { recursive: true })
  expect((await binding.settled()).state).toBe('idle')
  expect(await paths(space)).toEqual([])
})

test('[FB8] a folder without its marker is held: nothing of it is deleted', async () => {
  const { space, binding, path, directory, storage } = await folderOf(2)
  await binding.close()
  for (const name of fs.readdirSync(directory)) fs.rmSync(path(name), { recursive: true })
  const again = await bind({ directory, storage })
  const held = await again.binding.settled()
  expect(held.state).toBe('held')
  expect(held.detail).toContain('marker')
  expect(await paths(space)).toHaveLength(3)
  await again.binding.accept()
  expect((await again.binding.settled()).state).toBe('idle')
  expect(await paths(again.space)).toEqual([])
})

test('[FB8] a folder that another database has bound is held until it is accepted, and the other one says so then', async () => {
  const { binding, directory, storage } = await folderOf(2)
  const before = onDisk(directory)
  await binding.close()
  const other = await bind({ directory })
  const held = await other.binding.settled()
  expect(held).toMatchObject({ state: 'held', held: { deletes: 0 } })
  expect(held.detail).toContain('bound by another database')
  await other.binding.revert()
  expect((await other.binding.settled()).state).toBe('held')
  expect(await paths(other.space)).toEqual([])
  await other.binding.accept()
  expect((await other.binding.settled()).state).toBe('idle')
  expect(await paths(other.space)).toEqual(['d', 'd/0', 'd/1'])
  await other.binding.close()
  const first = await bind({ directory, storage })
  expect((await first.binding.settled()).detail).toContain('of another binding')
  expect(onDisk(directory)).toEqual(before)
})

test('[FB8] a crash between the binding and its marker leaves a folder that binds', async () => {
  const { binding, directory, storage } = await folderOf(0)
  await binding.close()
  fs.rmSync(`${directory}/d`, { recursive: true })
  const emptied = await bind({ directory, storage })
  await emptied.binding.settled()
  await emptied.binding.close()
  fs.rmSync(`${directory}/.tidemark/marker.json`)
  const again = await bind({ directory, storage })
  expect((await again.binding.settled()).state).toBe('idle')
})

test('[FB1] a directory that cannot be listed is unknown: nothing below it is deleted', async () => {
  const { space, binding, path } = await folderOf(3)
  fs.chmodSync(path('d'), 0)
  // The superuser may list everything.
  const isRefused = (() => {
    try {
      fs.readdirSync(path('d'))
      return false
    } catch {
      return true
    }
  })()
  await binding.settled()
  await new Promise((resolve) => setTimeout(resolve, 1_300))
  await binding.settled()
  expect(await paths(space)).toHaveLength(4)
  expect(binding.status.problems.some(({ cause }) => cause === 'unreadable')).toBe(isRefused)
  fs.chmodSync(path('d'), 0o755)
})
