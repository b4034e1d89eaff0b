import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { until, type World } from './support/processes.js'
import { SmallDisks } from './support/small-disks.js'
import { readTree } from './support/trees.js'
import { twoFolders } from './support/two-folders.js'

let world: World
let disks: SmallDisks
let hub: { url: string }
let a: string
let b: string
let state: readonly string[]
beforeEach(async () => {
  ;({ world, hub, a, b } = await twoFolders())
  disks = new SmallDisks()
  for (let i = 0; i < 5; i++) writeFileSync(join(a, `${i}.txt`), `file ${i}`)
  state = ['--state', world.path('state-a')]
})
afterEach(async () => {
  disks.close()
  await world.close()
})

const COMPLETE = ['0.txt', '1.txt', '2.txt', '3.txt', '4.txt']
const names = (folder: string): string[] => Object.keys(readTree(folder))
async function stateOf(): Promise<string | undefined> {
  const { stdout } = await world.run(['status', ...state, '--json'])
  return stdout === '' ? undefined : (JSON.parse(stdout) as { state: string }).state
}

test('[FB6] a folder that is named by a symlink is the directory behind it, under either name', async () => {
  symlinkSync(a, world.path('link'))
  expect(await world.once(world.path('link'), hub)).toBe(0)
  writeFileSync(join(a, 'new.txt'), 'new')
  expect(await world.once(a, hub)).toBe(0)
  expect(await world.once(b, hub)).toBe(0)
  expect(readTree(b)).toEqual(readTree(a))
})

test('[FB8] a folder that goes away while it is synced, and an empty one in its place, delete nothing; it goes on when it is back', async () => {
  const live = world.live(a, hub, state)
  await until('it is idle', async () => (await stateOf()) === 'idle')
  expect(await world.once(b, hub)).toBe(0)
  renameSync(a, world.path('away'))
  await until('it is held', async () => (await stateOf()) === 'held')
  mkdirSync(a)
  writeFileSync(join(b, 'meanwhile.txt'), 'from b')
  expect(await world.once(b, hub)).toBe(0)
  expect(await stateOf()).toBe('held')
  expect(names(a)).toEqual([])
  expect(names(b)).toEqual([...COMPLETE, 'meanwhile.txt'])
  rmSync(a, { recursive: true })
  renameSync(world.path('away'), a)
  writeFileSync(join(a, '0.txt'), 'edited after')
  await until('all is there', () => names(a).includes('meanwhile.txt'))
  await until('it is idle again', async () => (await stateOf()) === 'idle')
  expect(live.child.exitCode).toBeNull()
  expect(await live.stop()).toBe(0)
  expect(await world.once(b, hub)).toBe(0)
  expect(names(b)).toEqual([...COMPLETE, 'meanwhile.txt'])
  expect(readFileSync(join(b, '0.txt'), 'utf8')).toBe('edited after')
})

test('[FB8] an empty disk that is mounted over the folder is held, and nothing is written to it', async () => {
  expect(await world.once(a, hub, { extra: state })).toBe(0)
  expect(await world.once(b, hub)).toBe(0)
  if (!disks.mount(a, 8)) return
  writeFileSync(join(b, 'new.txt'), 'new')
  expect(await world.once(b, hub)).toBe(0)
  expect(await world.once(a, hub, { extra: state })).toBe(3)
  expect(names(a)).toEqual([])
  disks.close()
  expect(await world.once(a, hub, { extra: state })).toBe(0)
  expect(await world.once(b, hub)).toBe(0)
  expect(names(b)).toEqual([...COMPLETE, 'new.txt'])
  expect(readTree(b)).toEqual(readTree(a))
})
