import * as fs from 'node:fs'
import type { SpaceBinding } from '@tidemark/engine'
import { expect, test } from 'vitest'
import { nodeFileSystem } from '../src/adapters/node-file-system.js'
import { bind, bindOn, hub, onDisk, paths, temporaryDirectory } from './fixture.js'

const eio = () => Object.assign(new Error('EIO'), { code: 'EIO' })

test('[FB14] what rules hid comes when they go, although the database refuses the first commit after that', async () => {
  let refusals = 0
  const space = (binding: SpaceBinding): SpaceBinding =>
    new Proxy(binding, {
      get(target, name) {
        const value = Reflect.get(target, name)
        if (name !== 'commit') return value
        return async (...args: Parameters<SpaceBinding['commit']>) => {
          if (refusals > 0) {
            refusals--
            throw eio()
          }
          return target.commit(...args)
        }
      },
    })
  const theHub = await hub()
  const bob = await bind({ hub: theHub })
  fs.writeFileSync(bob.path('p.mine'), 'shared before there were rules')
  await bob.binding.settled()
  const directory = temporaryDirectory()
  fs.writeFileSync(`${directory}/.tidemarkignore`, '*.mine\n')
  const ann = await bindOn({ space }, { hub: theHub, directory })
  await expect.poll(() => paths(bob.space), { timeout: 5000 }).toEqual(['.tidemarkignore', 'p.mine'])
  await ann.binding.settled()
  expect(onDisk(directory)).toEqual({ '.tidemarkignore': '*.mine\n' })
  refusals = 1
  fs.writeFileSync(ann.path('.tidemarkignore'), '# nothing\n')
  await expect
    .poll(() => Object.keys(onDisk(directory)).sort(), { timeout: 8000 })
    .toEqual(['.tidemarkignore', 'p.mine'])
  expect(refusals).toBe(0)
}, 30_000)

test.each([
  ['readdir', '/d'],
  ['lstat', '/d'],
] as const)(
  '[FB14] what rules hid below a directory is sent when they go, although the disk did not show it once (%s of %s)',
  async (call, end) => {
    let left = 0
    const files: typeof nodeFileSystem = {
      ...nodeFileSystem,
      [call](path: string) {
        if (left > 0 && path.endsWith(end)) {
          left--
          throw eio()
        }
        return nodeFileSystem[call](path)
      },
    }
    const ann = await bindOn({ files }, { hub: await hub() })
    fs.writeFileSync(ann.path('.tidemarkignore'), '*.mine\n')
    fs.mkdirSync(ann.path('d/e'), { recursive: true })
    fs.writeFileSync(ann.path('d/e/p.mine'), 'p')
    await ann.binding.settled()
    expect(await paths(ann.space)).toEqual(['.tidemarkignore', 'd', 'd/e'])
    left = 1
    fs.writeFileSync(ann.path('.tidemarkignore'), '# nothing\n')
    await expect.poll(() => paths(ann.space), { timeout: 8000 }).toContain('d/e/p.mine')
    expect(left).toBe(0)
  },
  30_000,
)

test('[FB14] what rules hid is sent when they go, although a directory below was written to in the same moment', async () => {
  const ann = await bindOn({}, { hub: await hub() })
  fs.writeFileSync(ann.path('.tidemarkignore'), '*.mine\n')
  fs.mkdirSync(ann.path('d/e'), { recursive: true })
  for (const file of ['d/p.mine', 'd/e/p.mine']) fs.writeFileSync(ann.path(file), file)
  await ann.binding.settled()
  fs.writeFileSync(ann.path('.tidemarkignore'), '# nothing\n')
  fs.writeFileSync(ann.path('d/new'), 'new')
  await expect
    .poll(() => paths(ann.space), { timeout: 8000 })
    .toEqual(['.tidemarkignore', 'd', 'd/e', 'd/e/p.mine', 'd/new', 'd/p.mine'])
}, 30_000)

test('[FB14] what is written below a directory right after rules that hide it is not sent', async () => {
  const ann = await bindOn({}, { hub: await hub() })
  fs.mkdirSync(ann.path('d'))
  await ann.binding.settled()
  fs.writeFileSync(ann.path('.tidemarkignore'), '*.mine\n')
  for (const file of ['d/p.mine', 'd/new']) fs.writeFileSync(ann.path(file), file)
  await expect.poll(() => paths(ann.space), { timeout: 8000 }).toEqual(['.tidemarkignore', 'd', 'd/new'])
  await ann.binding.settled()
  expect(await paths(ann.space)).toEqual(['.tidemarkignore', 'd', 'd/new'])
}, 30_000)
