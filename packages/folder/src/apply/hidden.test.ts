import * as fs from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { applyRemote } from './apply-remote.js'
import type { Thing } from './testing/fake-space.js'
import { treeOf, World } from './testing/world.js'

const never = new AbortController().signal
const DIR = (id: number, name: string, below = 0): Thing => ({ id, in: below, name })
const FILE = (id: number, name: string, bytes: string, below = 0): Thing => ({ id, in: below, name, bytes })

let world: World
beforeEach(() => {
  world = new World()
})
afterEach(() => world.close())

async function shows(things: readonly Thing[]) {
  world.space.show(things)
  const result = await applyRemote(world.ctx(), never)
  expect(result).toMatchObject({ deferred: 0, problems: [], rescan: [] })
  expect(world.disk()).toEqual(treeOf(things))
  expect(await world.space.dirty(1)).toEqual([])
  return result
}

test('ignored places are taken over without an effect', async () => {
  await shows([FILE(1, 'a.o', 'A'), DIR(2, 'd')])
  world.ignored = (path) => path.endsWith('.o')
  world.space.show([
    FILE(1, 'a.o', 'B'),
    DIR(2, 'd'),
    FILE(3, 'b.o', 'B', 2),
    { ...FILE(4, '.tidemark', 'evil') },
  ])
  const result = await applyRemote(world.ctx(), never)
  expect(world.disk()).toEqual({ 'a.o': 'A', d: '/' })
  expect(result).toMatchObject({ deferred: 0, problems: [] })
  expect(await world.space.dirty(1)).toEqual([])
})

test('[FB14] what is ignored here, and moves to where it is seen, comes there; what is here stays', async () => {
  await shows([FILE(1, 'a.o', 'A'), DIR(2, 'd.o'), FILE(3, 'x', 'X', 2), DIR(4, 'sub', 2)])
  world.ignored = (path) => path.split('/').some((name) => name.endsWith('.o'))
  world.space.show([
    FILE(1, 'a', 'A'),
    DIR(2, 'd'),
    FILE(3, 'x', 'X', 2),
    DIR(4, 'sub', 2),
    FILE(5, 'new', 'N', 2),
  ])
  const result = await applyRemote(world.ctx(), never)
  expect(world.disk()).toEqual({
    ...{ 'a.o': 'A', 'd.o': '/', 'd.o/x': 'X', 'd.o/sub': '/' },
    ...{ a: 'A', d: '/', 'd/x': 'X', 'd/sub': '/', 'd/new': 'N' },
  })
  expect(result).toMatchObject({ applied: 5, problems: [] })
  expect(await world.space.dirty(1)).toEqual([])
})

test('[FB14] a directory that was made where rules hide it comes with all that is in it when it moves to where it is seen', async () => {
  const inside = [DIR(2, 'sub', 1), FILE(3, 'x', 'X', 2), FILE(4, 'y.o', 'Y', 1), DIR(5, 'e', 2)]
  world.ignored = (path) => path.split('/').some((name) => name.endsWith('.o'))
  world.space.show([DIR(1, 'd.o'), ...inside])
  await applyRemote(world.ctx(), never)
  expect(world.disk()).toEqual({})
  world.space.show([DIR(1, 'd'), ...inside])
  const result = await applyRemote(world.ctx(), never)
  expect(world.disk()).toEqual({ d: '/', 'd/sub': '/', 'd/sub/x': 'X', 'd/sub/e': '/' })
  expect(result).toMatchObject({ applied: 4, deferred: 0, problems: [] })
  expect(await world.space.dirty(1)).toEqual([])
})

test('[FB14] what moves to where rules hide it leaves its place, a directory with all that is in it', async () => {
  await shows([
    ...[DIR(1, 'd'), FILE(2, 'x', 'X', 1), DIR(3, 'sub', 1), FILE(4, 'y', 'Y', 3), FILE(5, 'goes', 'G', 3)],
    ...[FILE(6, 'f', 'F'), FILE(7, 'comes', 'C')],
  ])
  world.ignored = (path) => path.split('/').some((name) => name.endsWith('.o'))
  world.space.show([
    ...[DIR(1, 'd.o'), FILE(2, 'x', 'X', 1), DIR(3, 'sub', 1), FILE(4, 'y', 'Y', 3), FILE(5, 'gone', 'G')],
    ...[FILE(6, 'f.o', 'F'), FILE(7, 'came', 'C', 3)],
  ])
  const result = await applyRemote(world.ctx(), never)
  expect(world.disk()).toEqual({ gone: 'G' })
  expect(result).toMatchObject({ deferred: 0, problems: [], rescan: [] })
  expect(await world.space.dirty(1)).toEqual([])
})

test('[FB14] a directory that moves to where rules hide it stays as long as it holds what they hid before', async () => {
  await shows([DIR(1, 'd'), FILE(2, 'x', 'X', 1)])
  world.ignored = (path) => path.split('/').some((name) => name.endsWith('.o'))
  fs.writeFileSync(world.path('d/mine.o'), 'mine')
  world.space.show([DIR(1, 'd.o'), FILE(2, 'x', 'X', 1)])
  const result = await applyRemote(world.ctx(), never)
  expect(world.disk()).toEqual({ d: '/', 'd/mine.o': 'mine' })
  expect(result).toMatchObject({ deferred: 0, problems: [{ path: 'd', cause: 'not-empty' }] })
  fs.rmSync(world.path('d/mine.o'))
  await applyRemote(world.ctx(), never)
  expect(world.disk()).toEqual({})
  expect(await world.space.dirty(1)).toEqual([])
})

test('[HB20] what moves to where rules hide it stays until the hub has what was written here', async () => {
  await shows([DIR(1, 'd'), FILE(2, 'x', 'X', 1), FILE(3, 'f', 'F')])
  world.ignored = (path) => path.split('/').some((name) => name.endsWith('.o'))
  world.isSent = false
  world.space.show([DIR(1, 'd.o'), FILE(2, 'x', 'X', 1), FILE(3, 'f.o', 'F'), FILE(4, 'f', 'new')])
  const waits = await applyRemote(world.ctx(), never)
  expect(world.disk()).toEqual({ d: '/', 'd/x': 'X', f: 'F' })
  expect(waits).toMatchObject({ deferred: 4, awaitsHub: true, problems: [], rescan: [] })
  world.isSent = true
  const result = await applyRemote(world.ctx(), never)
  expect(world.disk()).toEqual({ f: 'new' })
  expect(result).toMatchObject({ deferred: 0, awaitsHub: false, problems: [], rescan: [] })
  expect(await world.space.dirty(1)).toEqual([])
})
