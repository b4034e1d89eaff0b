import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { nodeFileSystem } from '../src/adapters/node-file-system.js'
import type { FileSystem } from '../src/ports/file-system.js'
import { bind, bindOn, hub, onDisk, paths } from './fixture.js'

/** A disk that fails to answer about one place, once, when it is asked before something is sent. */
function unseenOnce(name: string): { files: FileSystem; arm(afterLooks: number): void; failures(): number } {
  let left: number | undefined
  let failures = 0
  const files: FileSystem = {
    ...nodeFileSystem,
    lstat(path) {
      if (left !== undefined && path.endsWith(`/${name}`) && /SecondLook/.test(new Error().stack!)) {
        if (left === 0) {
          left = undefined
          failures++
          throw Object.assign(new Error('EIO'), { code: 'EIO' })
        }
        left--
      }
      return nodeFileSystem.lstat(path)
    },
  }
  const arm = (afterLooks: number) => {
    left = afterLooks
  }
  return { files, arm, failures: () => failures }
}

test('[NR12] a directory whose deletion cannot be looked at once is deleted with all in it by itself', async () => {
  const { files, arm, failures } = unseenOnce('d')
  const theHub = await hub()
  const bob = await bind({ hub: theHub })
  const ann = await bindOn({ files }, { hub: theHub })
  fs.mkdirSync(ann.path('d/e'), { recursive: true })
  for (const name of ['f', 'g', 'e/h']) fs.writeFileSync(ann.path(`d/${name}`), name)
  await ann.binding.settled()
  await expect.poll(() => Object.keys(onDisk(bob.directory)), { timeout: 5_000 }).toHaveLength(5)
  arm(0)
  fs.rmSync(ann.path('d'), { recursive: true })
  await expect.poll(failures, { timeout: 5_000 }).toBe(1)
  for (const { directory } of [ann, bob])
    await expect.poll(() => onDisk(directory), { timeout: 10_000 }).toEqual({})
  await ann.binding.settled()
  expect(await paths(ann.space)).toEqual([])
}, 30_000)

test('[FB10] what takes the place of a directory keeps its name where that cannot be looked at once', async () => {
  const { files, arm, failures } = unseenOnce('d')
  const theHub = await hub()
  const bob = await bind({ hub: theHub })
  const ann = await bindOn({ files }, { hub: theHub })
  fs.mkdirSync(ann.path('d'))
  for (const name of ['f', 'g']) fs.writeFileSync(ann.path(`d/${name}`), name)
  await ann.binding.settled()
  await expect.poll(() => Object.keys(onDisk(bob.directory)), { timeout: 5_000 }).toHaveLength(3)
  arm(0)
  fs.rmSync(ann.path('d'), { recursive: true })
  fs.writeFileSync(ann.path('d'), 'a file')
  await expect.poll(failures, { timeout: 5_000 }).toBe(1)
  for (const { directory } of [bob, ann])
    await expect.poll(() => onDisk(directory), { timeout: 10_000 }).toEqual({ d: 'a file' })
}, 30_000)
