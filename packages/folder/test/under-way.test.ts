import * as fs from 'node:fs'
import { ROOT } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { nodeFileSystem } from '../src/adapters/node-file-system.js'
import { liftPut } from '../src/apply/journal.js'
import { RowsStore } from '../src/rows-store.js'
import { bind, bindOn, paths } from './fixture.js'

test('[CR18] [FB1] what a start after a crash cannot put back was deleted by nobody', async () => {
  const first = await bind()
  const { path, directory, storage } = first
  for (const name of ['lifted', 'deleted']) fs.writeFileSync(path(name), name)
  await first.binding.settled()
  const { rows } = first.space.binding
  const row = (await new RowsStore(rows).inDirectory(ROOT)).get('lifted')!
  const lift = { row, path: '.tidemark/staging/lift-x' }
  await first.space.binding.writeRows([liftPut(lift)], { sync: true })
  await first.replica.close()
  await first.binding.close()
  fs.renameSync(path('lifted'), path(lift.path))
  fs.rmSync(path('deleted'))

  let isFull = true
  const files: typeof nodeFileSystem = {
    ...nodeFileSystem,
    link(from, to) {
      if (isFull) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
      nodeFileSystem.link(from, to)
    },
  }
  const second = await bindOn({ files }, { directory, storage })
  await expect.poll(() => paths(second.space), { timeout: 10_000 }).toEqual(['lifted'])
  expect(second.binding.status.problems.map(({ path, cause }) => [path, cause])).toEqual([
    ['lifted', 'no-space'],
  ])
  isFull = false
  fs.writeFileSync(path('new'), '')
  await second.binding.settled()
  expect(await paths(second.space)).toEqual(['lifted', 'new'])
  expect(fs.readFileSync(path('lifted'), 'utf8')).toBe('lifted')
})
