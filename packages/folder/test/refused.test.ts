import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  MemoryKeyValueStore,
  openReplica,
  type Space,
  type SpaceBinding,
  type UserOp,
} from '@tidemark/engine'
import { nodePlatform } from '@tidemark/engine/node'
import { bindFolder, type FolderBinding } from '@tidemark/folder'
import { PathError } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { atEnd, paths, temporaryDirectory } from './fixture.js'

/** A folder with `a`, `b` and `d/x`, whose space refuses a directory `bad` as long as it is told to. */
interface Refusing {
  readonly space: Space
  readonly binding: FolderBinding
  readonly path: (relative: string) => string
  readonly refusals: { count: number; isOver: boolean }
}

async function refusing(): Promise<Refusing> {
  const replica = await openReplica({ storage: new MemoryKeyValueStore(), platform: nodePlatform })
  atEnd(() => replica.close())
  const space = await replica.openSpace('default', { bound: true })
  const refusals = { count: 0, isOver: false }
  const isBad = (op: UserOp): boolean => op.type === 'create' && op.name === 'bad'
  const commit: SpaceBinding['commit'] = async (ops, withRows) => {
    if (refusals.isOver || !ops.some(isBad)) return space.binding.commit(ops, withRows)
    refusals.count += 1
    throw new PathError('NOT_FOUND', 'bad')
  }
  const refusing = new Proxy(space.binding, {
    get: (binding, name) => {
      const value = name === 'commit' ? commit : Reflect.get(binding, name, binding)
      return typeof value === 'function' ? value.bind(binding) : value
    },
  })
  const directory = temporaryDirectory()
  const path = (relative: string): string => join(directory, relative)
  for (const name of ['a', 'b']) writeFileSync(path(name), name)
  mkdirSync(path('d'))
  writeFileSync(path('d/x'), 'x')
  const binding = await bindFolder(refusing, directory, {})
  atEnd(() => binding.close())
  await expect.poll(() => paths(space)).toEqual(['a', 'b', 'd', 'd/x'])
  mkdirSync(path('bad'))
  await expect.poll(() => binding.status.problems).toMatchObject([{ path: 'bad', cause: 'refused' }])
  return { space, binding, path, refusals }
}

test('[FB13] a file that is moved into a directory that the space refuses is tried by and by, and takes no turn of others', async () => {
  const { space, binding, path, refusals } = await refusing()
  renameSync(path('a'), path('bad/a'))
  renameSync(path('b'), path('a'))
  await delay(1_500)
  expect(refusals.count).toBeLessThan(40)
  expect(binding.status.state).toBe('idle')
  writeFileSync(path('c'), 'c')
  await expect.poll(() => paths(space)).toEqual(['a', 'b', 'c', 'd', 'd/x'])
  refusals.isOver = true
  await expect.poll(() => paths(space), { timeout: 15_000 }).toEqual(['a', 'bad', 'bad/a', 'c', 'd', 'd/x'])
  expect(binding.status.problems).toEqual([])
}, 30_000)

test('[FB1] a file that is moved to where the space refuses it is not deleted for others, until it is gone from there too', async () => {
  const { space, path } = await refusing()
  renameSync(path('d/x'), path('bad/x'))
  await delay(2_500)
  expect(await paths(space)).toEqual(['a', 'b', 'd', 'd/x'])
  rmSync(path('bad'), { recursive: true })
  await expect.poll(() => paths(space), { timeout: 15_000 }).toEqual(['a', 'b', 'd'])
}, 30_000)
