import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { nodeFileSystem } from '../src/adapters/node-file-system.js'
import { type Bound, bindOn, onDisk, shown } from './fixture.js'

/** A folder whose disk does not answer about one path, so often. */
async function bindBeside(): Promise<{ one: Bound; unseen: (relative: string, times: number) => void }> {
  let hidden = ''
  let left = 0
  const files: typeof nodeFileSystem = {
    ...nodeFileSystem,
    lstat(path) {
      if (left > 0 && path.endsWith(hidden)) {
        left--
        throw Object.assign(new Error('EIO'), { code: 'EIO' })
      }
      return nodeFileSystem.lstat(path)
    },
  }
  const one = await bindOn({ files }, { watch: false })
  const unseen = (relative: string, times: number) => {
    hidden = `/${relative}`
    left = times
  }
  return { one, unseen }
}

const nodesOf = async ({ space }: Bound) =>
  new Map([...(await shown(space))].map(([path, { node }]) => [path, node]))

test.each([1, 3])(
  'what is renamed stays the same entry where its old place fails to answer (%i times)',
  async (times) => {
    const { one, unseen } = await bindBeside()
    const { path, binding } = one
    for (const directory of ['from', 'to', 'd']) fs.mkdirSync(path(directory))
    for (const file of ['from/f', 'd/g']) fs.writeFileSync(path(file), file)
    await binding.settled()
    const before = await nodesOf(one)
    fs.renameSync(path('from/f'), path('to/f'))
    unseen('from/f', times)
    await binding.settled()
    fs.renameSync(path('d'), path('to/e'))
    unseen('d', times)
    await binding.settled()
    const now = await nodesOf(one)
    expect([...now.keys()].sort()).toEqual(['from', 'to', 'to/e', 'to/e/g', 'to/f'])
    for (const [old, then] of [
      ['from/f', 'to/f'],
      ['d', 'to/e'],
      ['d/g', 'to/e/g'],
    ] as const)
      expect(now.get(then), then).toBe(before.get(old))
  },
)

test('a swap of names stays one where one of them fails to answer once', async () => {
  const { one, unseen } = await bindBeside()
  const { path, binding } = one
  for (const name of ['a', 'b']) fs.writeFileSync(path(name), name)
  await binding.settled()
  const before = await nodesOf(one)
  fs.renameSync(path('a'), path('t'))
  fs.renameSync(path('b'), path('a'))
  fs.renameSync(path('t'), path('b'))
  unseen('b', 1)
  await binding.settled()
  expect(await nodesOf(one)).toEqual(
    new Map([
      ['a', before.get('b')],
      ['b', before.get('a')],
    ]),
  )
})

test('what moved from a place that never answers again is sent, and the folder settles', async () => {
  const { one, unseen } = await bindBeside()
  const { path, directory, binding, space } = one
  for (const name of ['from', 'to']) fs.mkdirSync(path(name))
  fs.writeFileSync(path('from/f'), 'precious')
  await binding.settled()
  fs.renameSync(path('from/f'), path('to/f'))
  unseen('from/f', Number.POSITIVE_INFINITY)
  await binding.settled()
  expect([...(await shown(space)).keys()]).toContain('to/f')
  unseen('', 0)
  await binding.settled()
  expect([...(await shown(space)).keys()].sort()).toEqual(Object.keys(onDisk(directory)).sort())
})
