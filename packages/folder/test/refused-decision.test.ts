import * as fs from 'node:fs'
import type { SpaceBinding } from '@tidemark/engine'
import { expect, test } from 'vitest'
import { bindOn, hub, onDisk, paths, temporaryDirectory } from './fixture.js'

/**
 * Four deletions are held, shortly after three others that were sent. While `state.isFull`, the database does not
 * take that they are held no more.
 */
async function heldOfFull() {
  const state = { isFull: false, refusals: 0 }
  const space = (binding: SpaceBinding): SpaceBinding =>
    new Proxy(binding, {
      get(target, name) {
        if (name !== 'writeRows') return Reflect.get(target, name)
        return async (...args: Parameters<SpaceBinding['writeRows']>) => {
          if (state.isFull && args[0].some(({ key }) => key === 'held-deletes')) {
            state.refusals++
            throw Object.assign(new Error('no room'), { code: 'ENOSPC' })
          }
          return target.writeRows(...args)
        }
      },
    })
  const directory = temporaryDirectory()
  for (const name of ['d', 'e']) fs.mkdirSync(`${directory}/${name}`)
  const sent = ['d/0', 'd/1', 'd/2']
  const held = ['e/0', 'e/1', 'e/2', 'e/3']
  for (const name of [...sent, ...held]) fs.writeFileSync(`${directory}/${name}`, name)
  const bound = await bindOn({ space }, { hub: await hub(), maxDelete: { count: 3 }, directory })
  await bound.binding.settled()
  for (const name of sent) fs.rmSync(bound.path(name))
  await expect.poll(() => paths(bound.space), { timeout: 10_000 }).toHaveLength(6)
  const before = onDisk(directory)
  for (const name of held) fs.rmSync(bound.path(name))
  expect((await bound.binding.settled()).state).toBe('held')
  state.isFull = true
  return { ...bound, state, before }
}

test('[LV6] what is reverted comes back at once though the database does not take the note of that', async () => {
  const { binding, directory, state, before } = await heldOfFull()
  await expect(binding.revert()).rejects.toThrow('no room')
  state.isFull = false
  await expect.poll(() => onDisk(directory), { timeout: 10_000 }).toEqual(before)
  expect((await binding.settled()).state).toBe('idle')
})

test('[LV6] an acceptance that the database does not take is none, until it is taken', async () => {
  const { binding, space, state } = await heldOfFull()
  await expect(binding.accept()).rejects.toThrow('no room')
  expect(binding.status.state).toBe('held')
  binding.rescan()
  await binding.settled()
  expect(await paths(space)).toHaveLength(6)
  state.isFull = false
  await binding.accept()
  await binding.settled()
  expect(await paths(space)).toEqual(['d', 'e'])
})
