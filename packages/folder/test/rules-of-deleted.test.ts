import * as fs from 'node:fs'
import { join } from 'node:path'
import type { SpaceBinding } from '@tidemark/engine'
import type { Hub } from '@tidemark/server-reference'
import { expect, test } from 'vitest'
import { type Bound, bind, bindOn, failing, hub, onDisk, paths } from './fixture.js'

/** Bob makes `d` with rules, and `d/s`; ann has them. */
async function share(theHub: Hub, ann: Bound): Promise<Bound> {
  const bob = await bind({ hub: theHub })
  fs.mkdirSync(bob.path('d/s'), { recursive: true })
  fs.writeFileSync(bob.path('d/.tidemarkignore'), '*.mine\n')
  await bob.binding.settled()
  await expect.poll(() => onDisk(ann.directory), { timeout: 5000 }).toEqual(onDisk(bob.directory))
  return bob
}

/** Both are idle and show these paths, of which bob has all but the last. */
async function expectHidden(ann: Bound, bob: Bound, all: readonly string[]): Promise<void> {
  const shared = all.slice(0, -1)
  await expect
    .poll(
      async () => {
        await ann.binding.settled()
        await bob.binding.settled()
        return Object.keys(onDisk(bob.directory)).sort()
      },
      { timeout: 10_000 },
    )
    .toEqual(shared)
  expect(Object.keys(onDisk(ann.directory)).sort()).toEqual([...all].sort())
  expect(await paths(ann.space)).toEqual(shared)
  await expect
    .poll(() => ann.binding.status, { timeout: 5000 })
    .toMatchObject({ state: 'idle', problems: [] })
}

/** Bob deletes `d` without a hub, and hears only then that ann has put something into it. */
async function deleteMeanwhile(theHub: Hub, ann: Bound, { binding, replica, directory, storage }: Bound) {
  await binding.close()
  await replica.close()
  fs.rmSync(join(directory, 'd'), { recursive: true })
  fs.writeFileSync(ann.path('d/new'), 'new')
  await ann.binding.settled()
  return bind({ hub: theHub, directory, storage })
}

test.each([
  ['', ''],
  [', although the disk did not show it once (readdir)', 'readdir'],
  [', although the disk did not show it once (lstat)', 'lstat'],
] as const)(
  '[FB14] where somebody deletes a directory that others put something into, its rules hide what they hid%s',
  async (_, call) => {
    const theHub = await hub()
    const { files, state } = failing(call || 'lstat', call === 'readdir' ? 'd' : 'secret.mine', 'uncovers')
    const ann = await bindOn({ files }, { hub: theHub })
    const bob = await share(theHub, ann)
    fs.writeFileSync(ann.path('d/secret.mine'), 'secret')
    await ann.binding.settled()
    state.left = call ? 1 : 0
    const again = await deleteMeanwhile(theHub, ann, bob)
    await expectHidden(ann, again, ['d', 'd/.tidemarkignore', 'd/new', 'd/secret.mine'])
    expect(state.left).toBe(0)
  },
  30_000,
)

test('[FB14] where something is made in a directory that others deleted and that stayed, its rules hide what they hid', async () => {
  const theHub = await hub()
  const ann = await bind({ hub: theHub })
  const bob = await share(theHub, ann)
  fs.writeFileSync(ann.path('d/s/secret.mine'), 'secret')
  await ann.binding.settled()
  fs.rmSync(bob.path('d'), { recursive: true })
  await expect
    .poll(() => ann.binding.status.problems, { timeout: 5000 })
    .toMatchObject([{ path: 'd/s', cause: 'not-empty' }])
  fs.writeFileSync(ann.path('d/s/new'), 'new')
  await expectHidden(ann, bob, ['d', 'd/.tidemarkignore', 'd/s', 'd/s/new', 'd/s/secret.mine'])
}, 30_000)

test('[FB14] where nothing is hidden, rules go with the directory that was deleted, although it lives on', async () => {
  const theHub = await hub()
  const ann = await bind({ hub: theHub })
  const bob = await share(theHub, ann)
  const again = await deleteMeanwhile(theHub, ann, bob)
  await expect
    .poll(() => ann.binding.settled().then(() => onDisk(ann.directory)), { timeout: 5000 })
    .toEqual({ d: '/', 'd/new': 'new' })
  await again.binding.settled()
  expect(onDisk(again.directory)).toEqual(onDisk(ann.directory))
}, 30_000)

test('[FB14] what is made while a directory goes, and its rules hide, is not sent', async () => {
  const theHub = await hub()
  const made: string[] = []
  let path = ''
  /** When it says what it is about to do to the disk. */
  const space = (binding: SpaceBinding): SpaceBinding => ({
    ...binding,
    writeRows: async (ops, options) => {
      await binding.writeRows(ops, options)
      if (path === '' || !new Error().stack!.includes('#runBatch')) return
      fs.writeFileSync(path, 'secret')
      made.push(path)
      path = ''
    },
  })
  const ann = await bindOn({ space }, { hub: theHub })
  const bob = await share(theHub, ann)
  path = ann.path('d/secret.mine')
  fs.rmSync(bob.path('d'), { recursive: true })
  await expect.poll(() => made, { timeout: 5000 }).toHaveLength(1)
  await expect
    .poll(() => ann.binding.settled().then(() => ann.binding.status.problems), { timeout: 10_000 })
    .toMatchObject([{ path: 'd', cause: 'not-empty' }])
  expect(onDisk(ann.directory)).toEqual({
    d: '/',
    'd/.tidemarkignore': '*.mine\n',
    'd/secret.mine': 'secret',
  })
  expect(await paths(bob.space)).toEqual([])
}, 30_000)
