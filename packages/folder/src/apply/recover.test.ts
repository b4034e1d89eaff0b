import * as fs from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { applyRemote } from './apply-remote.js'
import { batchPut, type Intent } from './journal.js'
import { recoverProvisional } from './recover.js'
import { nodeId } from './testing/fake-space.js'
import { World } from './testing/world.js'

let world: World
beforeEach(async () => {
  world = new World()
  world.space.show([
    { id: 1, in: 0, name: 'd' },
    { id: 2, in: 1, name: 'f', bytes: 'old' },
  ])
  await applyRemote(world.ctx(), new AbortController().signal)
})
afterEach(() => world.close())

/** The process ended after `d/f` went aside and before the new bytes came; then `d` was renamed. */
async function interruptedReplace(): Promise<void> {
  const ctx = world.ctx()
  const row = (await ctx.rows.get(nodeId(2)))!
  const [aside, staged] = ['.tidemark/trash/f', '.tidemark/staging/new-1']
  fs.writeFileSync(world.path(staged), 'new')
  fs.renameSync(world.path('d/f'), world.path(aside))
  const fingerprint = ctx.files.lstat(world.path(staged))!
  const { dir, localName, entry } = row
  const intent: Intent = {
    type: 'replace',
    key: row.key,
    rowKey: row.key,
    after: { dir, localName, entry },
    from: 'd/f',
    to: 'd/f',
    aside,
    staged: { path: staged, fingerprint },
  }
  await ctx.space.writeRows([batchPut([intent])], { sync: true })
  fs.renameSync(world.path('d'), world.path('e'))
}

test('[CR18] a start after a crash does not fail where the directory was renamed meanwhile', async () => {
  await interruptedReplace()
  await recoverProvisional(world.ctx())
  expect(world.disk()).toEqual({ e: '/' })
  expect(fs.readFileSync(world.path('.tidemark/trash/f'), 'utf8')).toBe('old')
})

test('[CR18] what its user had written is given back above a directory that is gone', async () => {
  await interruptedReplace()
  fs.writeFileSync(world.path('.tidemark/trash/f'), 'of the user')
  await recoverProvisional(world.ctx())
  expect(world.disk()).toEqual({ e: '/', f: 'of the user' })
})
