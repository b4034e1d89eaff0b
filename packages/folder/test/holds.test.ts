import * as fs from 'node:fs'
import type { EntryKey, SpaceBinding } from '@tidemark/engine'
import { expect, test } from 'vitest'
import { nodeFileSystem } from '../src/adapters/node-file-system.js'
import {
  atEnd,
  type BindOptions,
  bind,
  bindOn,
  hub,
  keeping,
  onDisk,
  paths,
  temporaryDirectory,
} from './fixture.js'

/** With files that were there before. */
async function folderOf(count: number, options: BindOptions = {}) {
  const directory = temporaryDirectory()
  fs.mkdirSync(`${directory}/d`)
  for (let i = 0; i < count; i++) fs.writeFileSync(`${directory}/d/${i}`, `${i}`)
  const bound = await bind({ maxDelete: { count: 3 }, directory, ...options })
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

test('[FB8] deletions that come one after the other are held together, over a restart too', async () => {
  const maxDelete = { count: 5, share: 0.5 }
  const { space, binding, path, directory, storage } = await folderOf(9, { maxDelete })
  const remove = (...names: readonly number[]): void => {
    for (const name of names) fs.rmSync(path(`d/${name}`))
  }
  remove(0, 1, 2, 3)
  expect((await binding.settled()).state).toBe('idle')
  remove(4, 5)
  const held = { state: 'held', held: { deletes: 2, entries: 10 } }
  expect(await binding.settled()).toMatchObject(held)
  expect(await paths(space)).toHaveLength(6)
  await binding.close()
  const again = await bind({ directory, storage, maxDelete })
  expect(await again.binding.settled()).toMatchObject(held)
  await again.binding.accept()
  expect((await again.binding.settled()).state).toBe('idle')
  expect(await paths(again.space)).toHaveLength(4)
  remove(6, 7, 8)
  fs.rmdirSync(path('d'))
  expect((await again.binding.settled()).state).toBe('idle')
  expect(await paths(again.space)).toEqual([])
})

test('[FB8] a hold ends with what it is about: deletions that come later have nothing to do with it', async () => {
  const maxDelete = { count: 5, share: 0.5 }
  const { space, binding, path } = await folderOf(9, { maxDelete })
  const record = () => space.binding.rows.get('held-deletes')
  for (const name of [0, 1, 2, 3]) fs.rmSync(path(`d/${name}`))
  expect((await binding.settled()).state).toBe('idle')
  for (const name of [4, 5, 6]) fs.rmSync(path(`d/${name}`))
  await expect.poll(() => binding.status.held?.deletes, { timeout: 10_000 }).toBe(3)
  expect(await record()).toBeDefined()
  for (const name of [4, 5]) fs.writeFileSync(path(`d/${name}`), `${name}`)
  await expect.poll(() => binding.status.state, { timeout: 10_000 }).toBe('idle')
  expect(await paths(space)).toEqual(['d', 'd/4', 'd/5', 'd/7', 'd/8'])
  expect(await record()).toBeUndefined()
})

test('what goes while deletions are held is counted too', async () => {
  const { binding, path } = await folderOf(7)
  for (const name of [0, 1, 2, 3, 4]) fs.rmSync(path(`d/${name}`))
  await expect.poll(() => binding.status.held?.deletes, { timeout: 10_000 }).toBe(5)
  for (const name of [5, 6]) fs.rmSync(path(`d/${name}`))
  await expect.poll(() => binding.status.held?.deletes, { timeout: 10_000 }).toBe(7)
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

/** A folder whose marker went, and all of whose files were written to since. */
async function strangeFolder(count: number) {
  const theHub = await hub()
  const bound = await bind({ hub: theHub })
  for (let i = 0; i < count; i++) fs.writeFileSync(bound.path(`${i}`), `right ${i}`)
  await bound.binding.settled()
  const right = onDisk(bound.directory)
  await bound.binding.close()
  await bound.replica.close()
  fs.rmSync(bound.path('.tidemark/marker.json'))
  for (let i = 0; i < count; i++) fs.writeFileSync(bound.path(`${i}`), `wrong ${i}`)
  const { directory, storage } = bound
  return { hub: theHub, directory, storage, right }
}

/** The same with another method. */
const withMethod = <N extends keyof SpaceBinding>(
  binding: SpaceBinding,
  name: N,
  method: SpaceBinding[N],
): SpaceBinding =>
  new Proxy(binding, {
    get(target, asked) {
      const value: unknown = target[asked as keyof SpaceBinding]
      if (asked === name) return method
      return typeof value === 'function' ? value.bind(target) : value
    },
  })

test('[FB8] nothing of a held folder is sent while it is reverted, whatever else is asked for', async () => {
  const { right, ...options } = await strangeFolder(3)
  let hasSlept = false
  // As with a large folder: the loop could take its turn meanwhile.
  const space = (binding: SpaceBinding) =>
    withMethod(binding, 'touch', async (keys: readonly EntryKey[]) => {
      await new Promise((resolve) => setTimeout(resolve, 300))
      hasSlept = true
      await binding.touch(keys)
    })
  const { binding, directory, events } = await bindOn({ space }, options)
  await expect.poll(() => binding.status.connected).toBe(true)
  expect((await binding.settled()).state).toBe('held')
  const reverted = binding.revert()
  binding.rescan()
  expect(await reverted).toEqual([])
  expect(hasSlept).toBe(true)
  expect((await binding.settled()).state).toBe('idle')
  expect(onDisk(directory)).toEqual(right)
  expect(events.filter(({ type }) => type === 'sent')).toEqual([])
})

test('[FB8] a held folder of which one file cannot be moved away stays held, and the rest is reverted', async () => {
  const { right, ...options } = await strangeFolder(6)
  const { files, allow } = keeping('2')
  const { binding, directory, space, path, events } = await bindOn({ files }, options)
  await expect.poll(() => binding.status.connected).toBe(true)
  expect((await binding.settled()).state).toBe('held')
  const problems = await binding.revert()
  expect(problems.map(({ path, cause }) => [path, cause])).toEqual([['2', 'cannot-revert']])
  expect(await binding.settled()).toMatchObject({ state: 'held', problems })
  expect(onDisk(directory)).toEqual({ 2: 'wrong 2' })
  expect(fs.existsSync(path('.tidemark/marker.json'))).toBe(false)
  allow()
  expect(await binding.revert()).toEqual([])
  expect(await binding.settled()).toMatchObject({ state: 'idle', problems: [] })
  expect(onDisk(directory)).toEqual(right)
  expect(await paths(space)).toHaveLength(6)
  expect(events.filter(({ type }) => type === 'sent')).toEqual([])
})

test('a decision that comes just before a pass over what others changed does not wait for it', async () => {
  let isAsked = false
  let deciding: Promise<void> | undefined
  let isDecided = false
  let passes = 0
  const space = (real: SpaceBinding) => {
    const commit: SpaceBinding['commit'] = async (...args) => {
      const result = await real.commit(...args)
      if (isAsked && !deciding) {
        deciding = binding.accept().then(() => {
          isDecided = true
        })
      }
      return result
    }
    const dirty: SpaceBinding['dirty'] = async (count) => {
      if (deciding && !isDecided) passes++
      return real.dirty(count)
    }
    return withMethod(withMethod(real, 'commit', commit), 'dirty', dirty)
  }
  const { binding, path } = await bindOn({ space })
  const states = new Set<string>()
  const subscription = binding.status$.subscribe(({ state }) => states.add(state))
  atEnd(() => subscription.unsubscribe())
  await binding.settled()
  isAsked = true
  fs.writeFileSync(path('a'), 'a')
  expect((await binding.settled()).state).toBe('idle')
  await deciding
  expect([isDecided, passes]).toEqual([true, 0])
  expect(states).not.toContain('error')
})

test('a decision does not wait for an upload that waits for the hub', async () => {
  const theHub = await hub()
  const { binding: first, replica, directory, storage, path } = await folderOf(5, { hub: theHub })
  await first.close()
  await replica.close()
  let uploads = 0
  const space = (binding: SpaceBinding) =>
    withMethod(binding, 'ensureStored', async (_, { signal }: { readonly signal: AbortSignal }) => {
      signal.throwIfAborted()
      uploads++
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    })
  const { binding } = await bindOn({ space }, { hub: theHub, directory, storage, maxDelete: { count: 3 } })
  await expect.poll(() => binding.status.connected).toBe(true)
  await binding.settled()
  fs.rmSync(path('d'), { recursive: true })
  expect((await binding.settled()).state).toBe('held')
  fs.writeFileSync(path('large'), 'x'.repeat(300_000))
  await expect.poll(() => uploads).toBe(1)
  await binding.revert()
  expect(binding.status.held).toBeUndefined()
  await binding.close()
  await expect(binding.accept()).rejects.toMatchObject({ code: 'CLOSED' })
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

test('[FB1] what a disk did not show once is looked at again by itself, and meanwhile it is no equality', async () => {
  let failures = 0
  const files: typeof nodeFileSystem = {
    ...nodeFileSystem,
    readdir(path) {
      if (path.endsWith('/d') && failures-- > 0) throw Object.assign(new Error('EIO'), { code: 'EIO' })
      return nodeFileSystem.readdir(path)
    },
  }
  const { space, binding, path } = await bindOn({ files })
  fs.mkdirSync(path('d'))
  await binding.settled()
  failures = 2
  fs.writeFileSync(path('d/new'), '')
  await binding.settled()
  expect(binding.status).toMatchObject({ state: 'idle', detail: 'all else is equal: see the problems' })
  expect(binding.status.problems).toMatchObject([{ path: 'd', cause: 'unreadable' }])
  await expect.poll(() => paths(space), { timeout: 10_000 }).toEqual(['d', 'd/new'])
  expect(await binding.settled()).toMatchObject({ problems: [], detail: 'both sides are equal' })
})

test('[FB8] what is held ends when it is back, also where something that rules hide is gone too', async () => {
  const { binding, path, space } = await bind({ hub: await hub(), maxDelete: { count: 2, share: 0.1 } })
  for (let i = 0; i < 10; i++) fs.writeFileSync(path(`f${i}`), `${i}`)
  fs.writeFileSync(path('x.mine'), 'x')
  await binding.settled()
  fs.writeFileSync(path('.tidemarkignore'), '*.mine\n')
  await binding.settled()
  const away = temporaryDirectory()
  for (let i = 0; i < 10; i++) fs.renameSync(path(`f${i}`), `${away}/f${i}`)
  fs.rmSync(path('x.mine'))
  expect(await binding.settled()).toMatchObject({ state: 'held' })
  for (let i = 0; i < 9; i++) fs.renameSync(`${away}/f${i}`, path(`f${i}`))
  await expect.poll(() => paths(space), { timeout: 10_000 }).not.toContain('f9')
  expect(await binding.settled()).toMatchObject({ state: 'idle' })
  expect(await paths(space)).toContain('x.mine')
}, 60_000)
