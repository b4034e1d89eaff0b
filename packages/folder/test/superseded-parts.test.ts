import { randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import type { SpaceBinding } from '@tidemark/engine'
import { ChunksMissingError } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { bind, bindOn, hub } from './fixture.js'

const LARGE_BYTES = 300_000

test('what came of a version that another has replaced leaves staging while the folder runs', async () => {
  const theHub = await hub()
  const ann = await bind({ hub: theHub })
  let fails = true
  const fetch: SpaceBinding['fetch'] = async (version, sink) => {
    await sink.write(0, new Uint8Array(1_000))
    throw new ChunksMissingError([version.root])
  }
  const failing = (binding: SpaceBinding): SpaceBinding => {
    const whole: SpaceBinding['fetch'] = (...args) => binding.fetch(...args)
    return Object.assign(Object.create(binding), {
      fetch: (...args: Parameters<SpaceBinding['fetch']>) => (fails ? fetch : whole)(...args),
    })
  }
  const bob = await bindOn({ space: failing }, { hub: theHub })
  const staging = () => fs.readdirSync(bob.path('.tidemark/staging'))
  fs.writeFileSync(ann.path('large'), randomBytes(LARGE_BYTES))
  await ann.binding.settled()
  await expect.poll(staging, { timeout: 10_000 }).toHaveLength(1)
  fs.writeFileSync(ann.path('large'), randomBytes(LARGE_BYTES))
  await ann.binding.settled()
  fails = false
  await bob.binding.settled()
  await expect.poll(staging, { timeout: 10_000 }).toEqual([])
  expect(fs.readFileSync(bob.path('large')).equals(fs.readFileSync(ann.path('large')))).toBe(true)
}, 30_000)
