import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { randomBytesOf } from './support/bytes.js'
import { until, World } from './support/processes.js'
import { startProxy, type TcpProxy } from './support/proxy.js'

const MIB = 1024 * 1024
const BYTES = randomBytesOf(24 * MIB, 'held')

let world: World
let a: string
let b: string
let toB: TcpProxy
beforeEach(async () => {
  world = new World()
  ;[a, b] = [world.path('a'), world.path('b')]
  for (const folder of [a, b]) mkdirSync(folder)
  writeFileSync(join(a, 'large.bin'), BYTES)
  const hub = await world.hub()
  toB = await startProxy(hub)
  world.live(a, hub)
  world.live(b, toB)
  await until('b has the file', () => existsSync(join(b, 'large.bin')), 60_000)
})
afterEach(async () => {
  await toB.close()
  await world.close()
})

async function bytesTo(isThere: () => boolean): Promise<number> {
  const before = toB.downBytes
  await until('b shows it', isThere, 60_000)
  return toB.downBytes - before
}

test('[CT22] an edit of a large file brings the chunks that are new to the folder, not the file', async () => {
  const edited = Buffer.concat([Buffer.of(7), BYTES])
  edited.fill(1, 9 * MIB, 9 * MIB + 4096)
  writeFileSync(join(a, 'large.bin'), edited)
  const came = await bytesTo(() => statSync(join(b, 'large.bin')).size === edited.length)
  expect(edited.equals(readFileSync(join(b, 'large.bin')))).toBe(true)
  expect(came).toBeLessThan(MIB)
})

test('a copy of a large file is made of what the folder has', async () => {
  copyFileSync(join(a, 'large.bin'), join(a, 'copy.bin'))
  const came = await bytesTo(() => existsSync(join(b, 'copy.bin')))
  expect(BYTES.equals(readFileSync(join(b, 'copy.bin')))).toBe(true)
  expect(came).toBeLessThan(MIB)
})
