import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { MemoryKeyValueStore, openReplica, type SpaceBinding, type UserOp } from '@tidemark/engine'
import { nodePlatform } from '@tidemark/engine/node'
import { bindFolder } from '@tidemark/folder'
import { PathError } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { atEnd, paths, temporaryDirectory } from './fixture.js'

test('[FB13] a file that is moved into a directory that the space refuses is tried by and by, and takes no turn of others', async () => {
  const replica = await openReplica({ storage: new MemoryKeyValueStore(), platform: nodePlatform })
  atEnd(() => replica.close())
  const space = await replica.openSpace('default', { bound: true })
  let refused = 0
  let isRefusing = true
  const isBad = (op: UserOp): boolean => op.type === 'create' && op.name === 'bad'
  const commit: SpaceBinding['commit'] = async (ops, withRows) => {
    if (!isRefusing || !ops.some(isBad)) return space.binding.commit(ops, withRows)
    refused += 1
    throw new PathError('NOT_FOUND', 'bad')
  }
  const refusing = new Proxy(space.binding, {
    get: (binding, name) => {
      const value = name === 'commit' ? commit : Reflect.get(binding, name, binding)
      return typeof value === 'function' ? value.bind(binding) : value
    },
  })
  const directory = temporaryDirectory()
  for (const name of ['a', 'b']) writeFileSync(join(directory, name), name)
  const binding = await bindFolder(refusing, directory, {})
  atEnd(() => binding.close())
  await expect.poll(() => paths(space)).toEqual(['a', 'b'])
  mkdirSync(join(directory, 'bad'))
  renameSync(join(directory, 'a'), join(directory, 'bad', 'a'))
  renameSync(join(directory, 'b'), join(directory, 'a'))
  await expect.poll(() => binding.status.problems).toMatchObject([{ path: 'bad', cause: 'refused' }])
  await delay(1_500)
  expect(refused).toBeLessThan(40)
  expect(binding.status.state).toBe('idle')
  writeFileSync(join(directory, 'c'), 'c')
  await expect.poll(() => paths(space)).toEqual(['a', 'b', 'c'])
  isRefusing = false
  await expect.poll(() => paths(space), { timeout: 10_000 }).toEqual(['a', 'bad', 'bad/a', 'c'])
  expect(binding.status.problems).toEqual([])
})
