import * as fs from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { bind, hub, paths } from './fixture.js'

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
