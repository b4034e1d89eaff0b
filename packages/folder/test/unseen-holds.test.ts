import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { bindOn, failing, hub, onDisk, paths, temporaryDirectory } from './fixture.js'

/** With these files in it. */
function directoryOf(names: readonly string[]): string {
  const directory = temporaryDirectory()
  for (const name of names) {
    fs.mkdirSync(`${directory}/${name.slice(0, name.indexOf('/'))}`, { recursive: true })
    fs.writeFileSync(`${directory}/${name}`, name)
  }
  return directory
}

test('[FB8] revert of held deletions drops nothing while one of them cannot be looked at, and is done when it can', async () => {
  const { files, state } = failing('lstat', 'd', 'unlikeRows')
  const directory = directoryOf(['d/1', 'e/1', 'e/2', 'e/3', 'e/4'])
  const options = { hub: await hub(), maxDelete: { count: 3 }, directory }
  const { space, binding, path } = await bindOn({ files }, options)
  await binding.settled()
  const before = onDisk(directory)
  for (const name of ['d', 'e']) fs.rmSync(path(name), { recursive: true })
  expect((await binding.settled()).state).toBe('held')
  state.left = 1
  expect(await binding.revert()).toMatchObject([{ path: 'd', cause: 'cannot-revert' }])
  expect(state.left).toBe(0)
  binding.rescan()
  const held = await binding.settled()
  expect(held).toMatchObject({ state: 'held', held: { deletes: 7 } })
  expect(held.problems).toMatchObject([{ path: 'd', cause: 'cannot-revert' }])
  expect(await paths(space)).toHaveLength(7)
  expect(await binding.revert()).toEqual([])
  expect(await binding.settled()).toMatchObject({ state: 'idle', problems: [] })
  expect(onDisk(directory)).toEqual(before)
})

const NAMES = ['d/1', 'd/2', 'd/3', 'd/4', 'e/1', 'e/2', 'e/3', 'e/4']

/** Of the eight files all but `e/4` are deleted; that is held. */
async function heldOf(call: 'lstat' | 'readdir') {
  const { files, state } = failing(call, 'd', 'scanDirectory')
  const directory = directoryOf(NAMES)
  const bound = await bindOn({ files }, { hub: await hub(), maxDelete: { count: 4, share: 0.1 }, directory })
  await bound.binding.settled()
  for (const name of NAMES.slice(0, 7)) fs.rmSync(bound.path(name))
  expect((await bound.binding.settled()).state).toBe('held')
  return { ...bound, state }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

test.each(['lstat', 'readdir'] as const)(
  '[FB8] deletions stay held where the directory of some of them cannot be looked at once (%s)',
  async (call) => {
    const { binding, space, path, state } = await heldOf(call)
    state.left = 1
    binding.rescan()
    await binding.settled()
    expect(state.left).toBe(0)
    // It is looked at again by itself.
    await pause(2_500)
    expect(binding.status).toMatchObject({ state: 'held', held: { deletes: 7 } })
    expect(await paths(space)).toHaveLength(10)
    for (const name of NAMES) fs.writeFileSync(path(name), name)
    expect((await binding.settled()).state).toBe('idle')
  },
)

test('[FB8] deletions stay held when something else is done in the directory of some of them', async () => {
  const { binding, space, path } = await heldOf('lstat')
  fs.writeFileSync(path('e/4'), 'an edit')
  await pause(2_500)
  expect(binding.status).toMatchObject({ state: 'held', held: { deletes: 7 } })
  expect(await paths(space)).toHaveLength(10)
  fs.rmSync(path('e/4'))
  await expect.poll(() => binding.status.held?.deletes, { timeout: 5_000 }).toBe(8)
  await binding.accept()
  await binding.settled()
  expect(await paths(space)).toEqual(['d', 'e'])
})
