import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { writeRandomFile } from './support/bytes.js'
import { type Ended, type Hub, TOKEN, until, World } from './support/processes.js'
import { fillDisk, SmallDisks } from './support/small-disks.js'
import { readTree } from './support/trees.js'

const MIB = 1 << 20

let world: World
let disks: SmallDisks
let a: string
let b: string
beforeEach(() => {
  world = new World()
  disks = new SmallDisks()
  a = world.path('a')
  b = world.path('b')
  mkdirSync(a)
  mkdirSync(b)
})
afterEach(async () => {
  disks.close()
  await world.close()
})

const write = (folder: string, path: string, text: string): void => writeFileSync(join(folder, path), text)
const once = (folder: string, hub: Hub): Promise<Ended> =>
  world.run(['sync', folder, '--hub', hub.url, '--token', TOKEN, '--once'], { timeoutMs: 100_000 })

test('[FB15] a file that has no room on this disk waits as a problem; the others arrive, and it does when there is room', async () => {
  const hub = await world.hub()
  if (!disks.mount(b, 72)) return
  writeRandomFile(join(a, 'big.bin'), 20 * MIB, 'full-disk')
  for (let i = 0; i < 5; i++) write(a, `${i}.txt`, `file ${i}`)
  expect(await world.once(a, hub)).toBe(0)
  const { code, stdout } = await once(b, hub)
  expect({ code, stdout }).toEqual({ code: 3, stdout: expect.stringContaining('no-space') })
  expect(Object.keys(readTree(b))).toEqual(['0.txt', '1.txt', '2.txt', '3.txt', '4.txt'])
  const { pending, detail, problems } = await world.status(b)
  expect({ pending, detail, problems }).toMatchObject({
    pending: 1,
    detail: expect.stringContaining('cannot be put on disk'),
    problems: [{ path: 'big.bin', cause: 'no-space' }],
  })
  disks.grow(b, 200)
  expect(await world.once(b, hub)).toBe(0)
  expect(readTree(b)).toEqual(readTree(a))
})

test('[FB15] a disk that has no room for the database ends --once with the reason, and nothing is lost', async () => {
  const hub = await world.hub()
  if (!disks.mount(a, 8)) return
  write(a, 'first.txt', 'first')
  expect(await world.once(a, hub)).toBe(0)
  write(a, 'second.txt', 'second')
  fillDisk(join(a, 'filler.bin'))
  const { code, stderr } = await once(a, hub)
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('NO_SPACE') })
  disks.grow(a, 64)
  expect(await world.once(a, hub)).toBe(0)
  expect(await world.once(b, hub)).toBe(0)
  expect(readTree(b)).toEqual(readTree(a))
})

test('[FB15] a sync that runs while its disk is full goes on when there is room, without a restart', async () => {
  const hub = await world.hub()
  if (!disks.mount(a, 8)) return
  write(a, 'mine.txt', 'first')
  const live = world.live(a, hub)
  await until('it is idle', async () => (await stateOf(a)) === 'idle')
  fillDisk(join(a, '.tidemark/filler'))
  for (let i = 0; i < 300; i++) write(b, `${i}.txt`, `file ${i}`)
  expect(await world.once(b, hub)).toBe(0)
  await until('it says that something is wrong', async () => (await stateOf(a)) !== 'idle')
  expect(live.child.exitCode).toBeNull()
  rmSync(join(a, '.tidemark/filler'))
  disks.grow(a, 200)
  await until('all is there', async () => Object.keys(readTree(a)).length === 301)
  write(a, 'mine.txt', 'edited')
  await until('it is idle again', async () => (await stateOf(a)) === 'idle')
  expect(await live.stop()).toBe(0)
  expect(await world.once(a, hub)).toBe(0)
  expect(await world.once(b, hub)).toBe(0)
  expect(readFileSync(join(b, 'mine.txt'), 'utf8')).toBe('edited')
  expect(readTree(b)).toEqual(readTree(a))
})

test('[FB15] a hub whose disk is full refuses with the reason, stays, and takes everything when there is room', async () => {
  if (!disks.mount(world.path('hub'), 8)) return
  const hub = await world.hub()
  write(a, '0.txt', 'from before')
  expect(await world.once(a, hub)).toBe(0)
  fillDisk(world.path('hub/filler'))
  for (let i = 1; i < 300; i++) write(a, `${i}.txt`, `${i}`.repeat(2_000))
  const { code, stderr } = await once(a, hub)
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('full') })
  expect(await world.once(b, hub)).toBe(0)
  expect(Object.keys(readTree(b))).toEqual(['0.txt'])
  rmSync(world.path('hub/filler'))
  disks.grow(world.path('hub'), 200)
  expect(await world.once(a, hub)).toBe(0)
  expect(await world.once(b, hub)).toBe(0)
  expect(readTree(b)).toEqual(readTree(a))
  expect(hub.child.exitCode).toBeNull()
}, 150_000)

test('[FB15] a hub without room for its database keeps what it acknowledged, over a restart too', async () => {
  if (!disks.mount(world.path('hub'), 8)) return
  const hub = await world.hub()
  mkdirSync(join(a, 'first'))
  const live = world.live(a, hub)
  await until('it is idle', async () => (await stateOf(a)) === 'idle')
  fillDisk(world.path('hub/filler'))
  for (let i = 0; i < 300; i++) mkdirSync(join(a, `d${i}`))
  await until('the hub refuses', () => live.lines.some((line) => line.includes('no space left')))
  rmSync(world.path('hub/filler'))
  disks.grow(world.path('hub'), 100)
  mkdirSync(join(a, 'last'))
  await until('it is idle again', async () => (await stateOf(a)) === 'idle', 45_000)
  expect(await live.stop()).toBe(0)
  expect(await hub.stop()).toBe(0)
  expect(await world.once(b, await world.hub())).toBe(0)
  expect(readTree(b)).toEqual(readTree(a))
}, 150_000)

test('[FB15] logs that have no room end neither a hub nor a sync, and are written again when there is room', async () => {
  const log = world.path('logs/hub.log')
  if (!disks.mount(world.path('logs'), 1)) return
  const hub = await world.hub(0, [], ['sh', '-c', `exec "$@" 2>>${log}`, 'sh'])
  await until('the hub logs', () => readFileSync(log, 'utf8').includes('hub-listening'))
  fillDisk(world.path('logs/filler'))
  // The rest of its last page.
  expect(() => appendFileSync(log, '\n'.repeat(4_096))).toThrow('ENOSPC')
  write(a, 'mine.txt', 'mine')
  expect(await world.once(a, hub, { wrapper: ['sh', '-c', 'exec "$@" >/dev/full 2>/dev/full', 'sh'] })).toBe(
    0,
  )
  expect(await world.once(b, hub)).toBe(0)
  expect(readTree(b)).toEqual(readTree(a))
  rmSync(world.path('logs/filler'))
  expect(await world.once(b, hub)).toBe(0)
  expect(await hub.stop()).toBe(0)
  const events = [...readFileSync(log, 'utf8').matchAll(/"event":"(session-accepted|hub-stopped)"/g)]
  expect(events.map(([, event]) => event)).toEqual(['session-accepted', 'hub-stopped'])
})

test('[LV9] a result that has no room is a failure', async () => {
  const hub = await world.hub()
  write(a, 'mine.txt', 'mine')
  expect(await world.once(a, hub)).toBe(0)
  for (const command of [
    ['ls', a],
    ['cat', a, 'mine.txt'],
    ['status', a],
  ]) {
    const { code } = await world.run(command, { wrapper: ['sh', '-c', 'exec "$@" >/dev/full', 'sh'] })
    expect(code, command[0]).toBe(1)
  }
})

async function stateOf(folder: string): Promise<string | undefined> {
  const { stdout } = await world.run(['status', folder, '--json'])
  return stdout === '' ? undefined : (JSON.parse(stdout) as { state: string }).state
}
