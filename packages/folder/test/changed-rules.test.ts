import * as fs from 'node:fs'
import type { SpaceBinding } from '@tidemark/engine'
import { expect, test } from 'vitest'
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
