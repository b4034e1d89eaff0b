import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Hub, until, World } from './support/processes.js'
import { readTree } from './support/trees.js'

const EVERY = 'TIDEMARK_COLLECT_EVERY_MS'
const SHORT_MS = '150'
/** Three seconds. */
const EVICT_AFTER_DAYS = String(3 / 86_400)

let world: World
let a: string
let b: string
beforeEach(() => {
  world = new World()
  ;[a, b] = [world.path('a'), world.path('b')]
  for (const folder of [a, b]) mkdirSync(folder)
})
afterEach(async () => {
  delete process.env[EVERY]
  await world.close()
})

async function tombstonesOfHub(hub: Hub): Promise<number> {
  const metrics = await (await fetch(`${hub.url}/metrics`)).text()
  return Number(/^tidemark_tombstones (\d+)$/m.exec(metrics)?.[1])
}

async function tombstones(hub: Hub, ...folders: readonly string[]): Promise<number[]> {
  const reports = await Promise.all(folders.map((folder) => world.status(folder)))
  return [await tombstonesOfHub(hub), ...reports.map((report) => report.tombstones ?? -1)]
}

const areEqual = (): boolean => JSON.stringify(readTree(a)) === JSON.stringify(readTree(b))

test('[GC16] what is deleted is remembered until every device has heard of it, and then by nobody', async () => {
  let hub = await world.hub()
  const first = [world.live(a, hub), world.live(b, hub)]
  mkdirSync(join(a, 'd'))
  for (const name of ['d/one', 'd/two', 'kept']) writeFileSync(join(a, name), name)
  await until('both are equal', () => areEqual() && Object.keys(readTree(b)).length === 4)
  rmSync(join(a, 'd'), { recursive: true })
  await until('the deletion arrived', () => areEqual() && Object.keys(readTree(b)).length === 1)
  expect(await tombstones(hub, a, b)).toEqual([3, 3, 3])
  await Promise.all(first.map((running) => running.stop()))
  await hub.stop()

  process.env[EVERY] = SHORT_MS
  hub = await world.hub(hub.port)
  world.live(a, hub)
  world.live(b, hub)
  await until('nobody remembers it', async () =>
    (await tombstones(hub, a, b).catch(() => [-1])).every((count) => count === 0),
  )
  expect(Object.keys(readTree(a))).toEqual(['kept'])
  expect(areEqual()).toBe(true)
})

test('[GC17] a device that was away for longer than it is waited for comes back without loss', async () => {
  process.env[EVERY] = SHORT_MS
  const hub = await world.hub(0, ['--evict-after-days', EVICT_AFTER_DAYS])
  world.live(a, hub)
  const away = world.live(b, hub)
  for (const name of ['gone', 'edited', 'same']) writeFileSync(join(a, name), name)
  await until('both are equal', () => areEqual() && Object.keys(readTree(b)).length === 3)
  await until('both said so', async () => (await world.status(b)).state === 'idle')
  await away.stop()
  rmSync(join(a, 'gone'))
  writeFileSync(join(b, 'edited'), 'edited while away')
  writeFileSync(join(b, 'new'), 'made while away')
  await until('nobody waits for b', () => hub.log.some((line) => line.includes('member-evicted')))
  await until('a and the hub forget', async () => (await tombstones(hub, a)).every((count) => count === 0))

  world.live(b, hub)
  await until('both are equal again', () => areEqual() && 'new' in readTree(a))
  expect(Object.keys(readTree(a))).toEqual(['edited', 'new', 'same'])
  expect(readFileSync(join(a, 'edited'), 'utf8')).toBe('edited while away')
})
