import * as fs from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { nodeFileSystem } from '../src/adapters/node-file-system.js'
import { bind, bindOn, hub, paths } from './fixture.js'

const QUIET_MS = 1_500

test('[FB14] what rules hide that were written a moment before it is not sent', async () => {
  const a = await bind({ hub: await hub() })
  fs.mkdirSync(a.path('d/s'), { recursive: true })
  fs.writeFileSync(a.path('d/x'), 'x')
  await a.binding.settled()
  await setTimeout(QUIET_MS)
  fs.writeFileSync(a.path('.tidemarkignore'), '*.key\n')
  fs.writeFileSync(a.path('d/secret.key'), 'secret')
  fs.writeFileSync(a.path('d/.tidemarkignore'), '*.secret\n')
  fs.writeFileSync(a.path('d/s/p.secret'), 'nobody else may see this')
  fs.writeFileSync(a.path('d/s/seen'), 'everybody may')
  await setTimeout(QUIET_MS)
  await a.binding.settled()
  expect(await paths(a.space)).toEqual([
    '.tidemarkignore',
    'd',
    'd/.tidemarkignore',
    'd/s',
    'd/s/seen',
    'd/x',
  ])
}, 30_000)

test('[FB14] nor is what rules hide that others made, and that stand on this disk', async () => {
  const theHub = await hub()
  const a = await bind({ hub: theHub })
  const b = await bind({ hub: theHub })
  fs.mkdirSync(a.path('d'))
  fs.writeFileSync(a.path('d/x'), 'x')
  await a.binding.settled()
  await b.binding.settled()
  await setTimeout(QUIET_MS)
  fs.writeFileSync(b.path('.tidemarkignore'), '*.key\n')
  while (!fs.existsSync(a.path('.tidemarkignore'))) await setTimeout(1)
  await setTimeout(10)
  fs.writeFileSync(a.path('d/secret.key'), 'secret')
  fs.writeFileSync(a.path('d/y'), 'y')
  await setTimeout(QUIET_MS)
  await a.binding.settled()
  expect(await paths(a.space)).toEqual(['.tidemarkignore', 'd', 'd/x', 'd/y'])
}, 30_000)

test('[FB14] nor is what they hide while they cannot be looked at', async () => {
  let isBad = false
  const files: typeof nodeFileSystem = {
    ...nodeFileSystem,
    lstat(path) {
      if (isBad && path.endsWith('/d/.tidemarkignore')) throw Object.assign(new Error('EIO'), { code: 'EIO' })
      return nodeFileSystem.lstat(path)
    },
  }
  const theHub = await hub()
  const a = await bindOn({ files }, { hub: theHub })
  const b = await bind({ hub: theHub })
  fs.mkdirSync(a.path('d/s'), { recursive: true })
  fs.writeFileSync(a.path('d/s/a'), 'a')
  fs.writeFileSync(a.path('d/.tidemarkignore'), '*.key\n')
  await a.binding.settled()
  await b.binding.settled()
  await a.binding.close()
  await a.replica.close()
  isBad = true
  fs.writeFileSync(a.path('d/s/x.key'), 'secret')
  fs.writeFileSync(a.path('d/s/a'), 'mine')
  const again = await bindOn({ files }, { hub: theHub, directory: a.directory, storage: a.storage })
  await again.binding.settled()
  fs.writeFileSync(b.path('d/s/a'), 'theirs')
  await b.binding.settled()
  await setTimeout(QUIET_MS)
  await again.binding.settled()
  expect(await paths(b.space)).toEqual(['d', 'd/.tidemarkignore', 'd/s', 'd/s/a'])
  isBad = false
  expect((await again.binding.settled()).problems).toEqual([])
  expect(await paths(b.space)).not.toContain('d/s/x.key')
}, 60_000)

test('[FB14] a disk that finds rules under other letters syncs what is below', async () => {
  const files: typeof nodeFileSystem = {
    ...nodeFileSystem,
    lstat: (path) => nodeFileSystem.lstat(path.replace(/\.tidemarkignore$/, '.TidemarkIgnore')),
  }
  const a = await bindOn({ files }, { hub: await hub() })
  fs.mkdirSync(a.path('d'))
  fs.writeFileSync(a.path('d/a'), 'a')
  fs.writeFileSync(a.path('.TidemarkIgnore'), 'x\n')
  await a.binding.settled({ signal: AbortSignal.timeout(20_000) })
  expect(await paths(a.space)).toEqual(['.TidemarkIgnore', 'd', 'd/a'])
}, 60_000)
