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
