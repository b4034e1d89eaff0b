import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { nodeFileSystem } from '../src/adapters/node-file-system.js'
import type { FileSystem } from '../src/ports/file-system.js'
import { bind, bindOn, hub, onDisk } from './fixture.js'

test('[CR18] revert between a turn that failed and the next one brings nothing back that others deleted', async () => {
  const theHub = await hub()
  const ann = await bind({ hub: theHub })
  for (const name of ['k1', 'k2', 'k3', 'x']) fs.writeFileSync(ann.path(name), name)
  await ann.binding.settled()
  let isFailing = false
  let failures = 0
  const files: FileSystem = {
    ...nodeFileSystem,
    rename(from, to) {
      nodeFileSystem.rename(from, to)
      isFailing ||= failures === 0 && from.endsWith('/x') && to.includes('/.tidemark/trash/')
    },
    fsync(path) {
      if (isFailing) {
        isFailing = false
        failures++
        throw Object.assign(new Error('EIO'), { code: 'EIO' })
      }
      nodeFileSystem.fsync(path)
    },
  }
  const bob = await bindOn({ files }, { hub: theHub, maxDelete: { count: 1, share: 0.1 } })
  await bob.binding.settled()
  for (const name of ['k1', 'k2', 'k3']) fs.unlinkSync(bob.path(name))
  await expect.poll(() => bob.binding.status.state, { timeout: 15_000 }).toBe('held')
  fs.unlinkSync(ann.path('x'))
  await ann.binding.settled()
  await expect.poll(() => failures, { timeout: 15_000, interval: 5 }).toBe(1)
  await bob.binding.revert()
  await bob.binding.settled()
  await ann.binding.settled()
  await bob.binding.settled()
  const want = { k1: 'k1', k2: 'k2', k3: 'k3' }
  expect(bob.events.filter(({ type }) => type === 'sent')).toEqual([])
  expect([onDisk(bob.directory), onDisk(ann.directory)]).toEqual([want, want])
}, 60_000)

test('what is missing because another folder stands here is not dropped by a revert', async () => {
  const theHub = await hub()
  const ann = await bind({ hub: theHub, maxDelete: { count: 1, share: 0.1 } })
  for (const name of ['k1', 'k2', 'k3']) fs.writeFileSync(ann.path(name), name)
  await ann.binding.settled()
  const heldDeletes = () => expect.poll(() => ann.binding.status.held?.deletes, { timeout: 15_000 })
  for (const name of ['k1', 'k2']) fs.unlinkSync(ann.path(name))
  await heldDeletes().toBe(2)
  fs.renameSync(ann.directory, `${ann.directory}-away`)
  fs.mkdirSync(ann.directory)
  try {
    await ann.binding.revert()
    // All of it: the folder is held, not what was deleted in it.
    await heldDeletes().toBe(3)
    expect(onDisk(ann.directory)).toEqual({})
  } finally {
    fs.rmSync(ann.directory, { recursive: true })
    fs.renameSync(`${ann.directory}-away`, ann.directory)
  }
  await heldDeletes().toBe(2)
}, 60_000)
