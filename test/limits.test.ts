import { randomFillSync } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Hub, until, type World } from './support/processes.js'
import { startProxy } from './support/proxy.js'
import { twoFolders } from './support/two-folders.js'

const MIB = 1024 * 1024
let world: World
let hub: Hub
let a: string
let b: string
beforeEach(async () => {
  ;({ world, hub, a, b } = await twoFolders())
})
afterEach(() => world.close())

/** Bytes of all files. */
function bytesBelow(directory: string): number {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((file) =>
    file.isFile(),
  )
  return files.reduce((sum, { parentPath, name }) => sum + Math.max(0, sizeAt(join(parentPath, name))), 0)
}

const sizeAt = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? -1

test('[TR6] --limit-up and --limit-down: a small file overtakes a large one on both ways', {
  timeout: 120_000,
}, async () => {
  world.live(a, hub, ['--limit-up', '3M'])
  world.live(b, hub, ['--limit-down', '3M'])
  writeFileSync(join(a, 'first'), '')
  await until('both are live', () => sizeAt(join(b, 'first')) === 0)
  const large = randomFillSync(new Uint8Array(30 * MIB))
  writeFileSync(join(a, 'large'), large)
  await until('the hub has some of it', () => bytesBelow(world.path('hub')) > 7 * MIB)
  writeFileSync(join(a, 'small'), 'x'.repeat(1024))
  await until('the small one is there', () => sizeAt(join(b, 'small')) === 1024)
  expect(bytesBelow(world.path('hub'))).toBeLessThan(25 * MIB)
  const staging = join(b, '.tidemark/staging')
  const isStaged = (): boolean => existsSync(staging) && readdirSync(staging).length > 0
  await until('some of it came', isStaged)
  writeFileSync(join(a, 'medium'), randomFillSync(new Uint8Array(700 * 1024)))
  await until('the next small one is there', () => sizeAt(join(b, 'medium')) === 700 * 1024)
  expect(existsSync(join(b, 'large'))).toBe(false)
  await until('the large one is there', () => sizeAt(join(b, 'large')) === large.length)
  expect(readFileSync(join(b, 'large')).equals(large)).toBe(true)
})

test('[TR6] what --once sends takes the time that --limit-up says', async () => {
  writeFileSync(join(a, 'large'), randomFillSync(new Uint8Array(20 * MIB)))
  const startMs = performance.now()
  expect(await world.once(a, hub, { extra: ['--limit-up', '8M'] })).toBe(0)
  // The last of three packs waits until two are paid.
  expect(performance.now() - startMs).toBeGreaterThan(1_700)
})

test('--compression always: text takes a part of its bytes on both ways; off: all of them', async () => {
  const proxy = await startProxy(hub)
  const textOf = (name: string): string =>
    Array.from({ length: 200_000 }, (_, i) => `line ${i} of ${name}\n`).join('')
  const sent: number[] = []
  for (const mode of ['always', 'off']) {
    writeFileSync(join(a, mode), textOf(mode))
    const already = proxy.upBytes
    expect(await world.once(a, proxy, { extra: ['--compression', mode] })).toBe(0)
    sent.push(proxy.upBytes - already)
  }
  const { length } = textOf('off')
  expect(sent[0]).toBeLessThan(length / 2)
  expect(sent[1]).toBeGreaterThan(length)
  expect(await world.once(b, proxy)).toBe(0)
  expect(proxy.downBytes).toBeLessThan(1.6 * length)
  for (const mode of ['always', 'off']) expect(readFileSync(join(b, mode), 'utf8')).toBe(textOf(mode))
  await proxy.close()
})

test.each(['--limit-up', '--limit-down', '--compression'])(
  '%s with what it does not take is wrong usage, and makes nothing',
  async (option) => {
    const { code, stderr } = await world.run(['sync', world.path('new'), '--hub', hub.url, option, 'fast'])
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(`${option} fast`) })
    expect(existsSync(world.path('new'))).toBe(false)
  },
)
