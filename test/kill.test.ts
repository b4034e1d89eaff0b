import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { randomOf, writeRandomFile } from './support/bytes.js'
import { type Running, World } from './support/processes.js'
import { startProxy, type TcpProxy } from './support/proxy.js'
import { hashFile, readTree } from './support/trees.js'

const MIB = 1 << 20
/** Bodies in flight are bounded by 48 MiB; the rest is framing, needs and locates. */
const RESENT_MAX = 56 * MIB

let world: World
beforeEach(() => {
  world = new World()
})
afterEach(() => world.close())

/** Kills `start()` after each delay, restarts it, and lets the last one live. */
async function killRepeatedly(start: () => Running, delaysMs: readonly number[]): Promise<void> {
  for (const ms of delaysMs) {
    const running = start()
    await delay(ms)
    await running.kill()
  }
}

function makeTree(folder: string, bigBytes: number): void {
  mkdirSync(join(folder, 'small'), { recursive: true })
  for (let i = 0; i < 400; i++) writeFileSync(join(folder, 'small', `${i}.txt`), `file ${i} `.repeat(i + 1))
  writeRandomFile(join(folder, 'big.bin'), bigBytes, 'kill')
}

test('[CR18] a client killed while it uploads sends only what was in flight again', async () => {
  const hub = await world.hub()
  const proxy: TcpProxy = await startProxy(hub)
  const [a, b] = [world.path('a'), world.path('b')]
  makeTree(a, 192 * MIB)
  mkdirSync(b)
  const random = randomOf(1)
  const delays = Array.from({ length: 4 }, () => 500 + Math.floor(random() * 900))
  try {
    await killRepeatedly(() => world.live(a, proxy), delays)
    await world.once(a, proxy)
    expect(proxy.upBytes).toBeLessThan(192 * MIB + 4 * MIB + delays.length * RESENT_MAX)
  } finally {
    await proxy.close()
  }
  await world.once(b, hub)
  expect(readTree(b)).toEqual(readTree(a))
}, 120_000)

test('[CR18] a client killed while it downloads never shows a torn file and ends equal', async () => {
  const hub = await world.hub()
  const [a, b] = [world.path('a'), world.path('b')]
  makeTree(a, 192 * MIB)
  mkdirSync(b)
  await world.once(a, hub)
  const truth = readTree(a)
  const random = randomOf(2)
  for (let round = 0; round < 8; round++) {
    const running = world.live(b, hub)
    await delay(350 + Math.floor(random() * 700))
    await running.kill()
    for (const [path, state] of Object.entries(readTree(b))) expect(state, path).toBe(truth[path])
  }
  await world.once(b, hub)
  expect(readTree(b)).toEqual(truth)
}, 120_000)

test('[CR18] a client killed while it commits renames, edits and deletes ends with old or new bytes, then equal', async () => {
  const hub = await world.hub()
  const [a, b] = [world.path('a'), world.path('b')]
  makeTree(a, 1 * MIB)
  mkdirSync(b)
  await world.once(a, hub)
  await world.once(b, hub)
  const known = new Set<string>(['dir'])
  const remember = () => {
    for (const state of Object.values(readTree(a))) known.add(state)
  }
  remember()
  const random = randomOf(3)
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 400; i++)
      writeFileSync(join(a, 'small', `${i}.txt`), `round ${round} file ${i} `.repeat(20))
    writeRandomFile(join(a, 'big.bin'), MIB, `round ${round}`)
    remember()
    await world.once(a, hub)
    const running = world.live(b, hub)
    await delay(250 + Math.floor(random() * 400))
    await running.kill()
    for (const [path, state] of Object.entries(readTree(b)))
      expect(known.has(state), `${path} is torn: ${state}`).toBe(true)
  }
  await world.once(b, hub)
  await world.once(a, hub)
  expect(readTree(b)).toEqual(readTree(a))
  expect(Object.keys(readTree(b)).filter((path) => path.includes('conflict'))).toEqual([])
}, 120_000)

test('[CR18] a hub killed in the middle of transfers comes back and everything converges', async () => {
  let hub = await world.hub()
  const [a, b] = [world.path('a'), world.path('b')]
  makeTree(a, 128 * MIB)
  mkdirSync(b)
  const left = world.live(a, hub)
  const right = world.live(b, hub)
  const random = randomOf(4)
  for (let round = 0; round < 4; round++) {
    await delay(500 + Math.floor(random() * 700))
    await hub.kill()
    hub = await world.hub(hub.port)
  }
  await left.stop()
  await right.stop()
  await world.once(a, hub)
  await world.once(b, hub)
  expect(existsSync(join(b, 'big.bin'))).toBe(true)
  expect(hashFile(join(b, 'big.bin'))).toBe(hashFile(join(a, 'big.bin')))
  expect(readTree(b)).toEqual(readTree(a))
  expect(readdirSync(b).sort()).toEqual(readdirSync(a).sort())
}, 120_000)
