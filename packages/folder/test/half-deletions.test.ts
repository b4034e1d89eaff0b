import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { bind, bindOn, failing, hub, onDisk, paths } from './fixture.js'

const unseenBeforeSent = () => failing('lstat', 'd', 'SecondLook')

test('[NR12] a directory whose deletion cannot be looked at once is deleted with all in it by itself', async () => {
  const { files, state } = unseenBeforeSent()
  const theHub = await hub()
  const bob = await bind({ hub: theHub })
  const ann = await bindOn({ files }, { hub: theHub })
  fs.mkdirSync(ann.path('d/e'), { recursive: true })
  for (const name of ['f', 'g', 'e/h']) fs.writeFileSync(ann.path(`d/${name}`), name)
  await ann.binding.settled()
  await expect.poll(() => Object.keys(onDisk(bob.directory)), { timeout: 5_000 }).toHaveLength(5)
  state.left = 1
  fs.rmSync(ann.path('d'), { recursive: true })
  await expect.poll(() => state.left, { timeout: 5_000 }).toBe(0)
  for (const { directory } of [ann, bob])
    await expect.poll(() => onDisk(directory), { timeout: 10_000 }).toEqual({})
  await ann.binding.settled()
  expect(await paths(ann.space)).toEqual([])
}, 30_000)

test('[FB10] what takes the place of a directory keeps its name where that cannot be looked at once', async () => {
  const { files, state } = unseenBeforeSent()
  const theHub = await hub()
  const bob = await bind({ hub: theHub })
  const ann = await bindOn({ files }, { hub: theHub })
  fs.mkdirSync(ann.path('d'))
  for (const name of ['f', 'g']) fs.writeFileSync(ann.path(`d/${name}`), name)
  await ann.binding.settled()
  await expect.poll(() => Object.keys(onDisk(bob.directory)), { timeout: 5_000 }).toHaveLength(3)
  state.left = 1
  fs.rmSync(ann.path('d'), { recursive: true })
  fs.writeFileSync(ann.path('d'), 'a file')
  await expect.poll(() => state.left, { timeout: 5_000 }).toBe(0)
  for (const { directory } of [bob, ann])
    await expect.poll(() => onDisk(directory), { timeout: 10_000 }).toEqual({ d: 'a file' })
}, 30_000)
