import * as fs from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { nodeFileSystem } from '../adapters/node-file-system.js'
import { applyRemote } from './apply-remote.js'
import { readUnsettled } from './journal.js'
import { settleUnderWay } from './recover.js'
import { foundByScan } from './testing/found-by-scan.js'
import { Crash, intercepted, World } from './testing/world.js'

const never = new AbortController().signal
const refused = () => Object.assign(new Error('EIO'), { code: 'EIO' })

let world: World
beforeEach(async () => {
  world = new World()
  world.space.show([{ id: 1, in: 0, name: 'f', bytes: 'old' }])
  await applyRemote(world.ctx(), never)
  world.space.show([{ id: 1, in: 0, name: 'f', bytes: 'new' }])
})
afterEach(() => world.close())

test.each([
  ['a refusal', refused],
  ['a crash', () => new Crash('the power went')],
])(
  '[CR18] old content that was given back, and by %s did not leave the trash, is not new',
  async (_, ended) => {
    const left = { links: 1, unlinks: 1 }
    const files = intercepted(nodeFileSystem, (call, [from, to]) => {
      const isPlaced = call === 'link' && to === world.path('f') && from!.includes('/staging/')
      if (isPlaced && left.links-- > 0) throw refused()
      if (call === 'unlink' && from!.includes('/trash/') && left.unlinks-- > 0) throw ended()
    })
    const ctx = world.ctx(files)
    const error = await applyRemote(ctx, never).catch((reason: unknown) => reason)
    if (error instanceof Crash) expect(left.unlinks).toBe(0)
    else expect(await readUnsettled(ctx.space.rows)).toHaveLength(1)
    expect(world.disk()).toEqual({ f: 'old' })
    expect(await settleUnderWay(ctx)).toEqual([])
    expect(await foundByScan(ctx, world.disk())).toEqual([])
    await applyRemote(ctx, never)
    expect(world.disk()).toEqual({ f: 'new' })
  },
)

test('[CR18] settling that gave old content back, and could not take it out of the trash, is asked again', async () => {
  let aside: string | undefined
  let looks = 1
  const files = intercepted(nodeFileSystem, (call, [from, to]) => {
    if (call === 'rename' && to!.includes('/trash/')) aside = to
    if (call === 'lstat' && from === aside && looks-- > 0) throw refused()
  })
  await applyRemote(world.ctx(files), never)
  expect(world.disk()).toEqual({})
  // By hand: with the new content it would go on.
  for (const name of fs.readdirSync(world.path('.tidemark/staging')))
    fs.unlinkSync(world.path('.tidemark/staging', name))
  let unlinks = 1
  const later = world.ctx(
    intercepted(nodeFileSystem, (call, [from]) => {
      if (call === 'unlink' && from!.includes('/trash/') && unlinks-- > 0) throw refused()
    }),
  )
  expect(await settleUnderWay(later)).toHaveLength(1)
  expect(world.disk()).toEqual({ f: 'old' })
  expect(await settleUnderWay(later)).toEqual([])
  expect(await foundByScan(later, world.disk())).toEqual([])
})
