import { appendFileSync, readdirSync, renameSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { writeRandomFile } from './support/bytes.js'
import { type Hub, until, type World } from './support/processes.js'
import { readTree } from './support/trees.js'
import { twoFolders } from './support/two-folders.js'

const MIB = 1 << 20

let world: World
let hub: Hub
let a: string
let b: string
beforeEach(async () => {
  ;({ world, hub, a, b } = await twoFolders())
})
afterEach(() => world.close())

const isIdle = async (folder: string): Promise<boolean> => (await world.status(folder)).state === 'idle'

async function expectEqual(): Promise<void> {
  await world.once(b, hub)
  expect(readTree(b)).toEqual(readTree(a))
}

test('[FB11] a file that is appended to all the time is never published torn, and arrives whole in the end', async () => {
  const [left, right] = [world.live(a, hub), world.live(b, hub)]
  const line = `${'x'.repeat(3_000)}\n`
  const lengths = new Set<number>()
  const began = performance.now()
  while (performance.now() - began < 3_000) {
    appendFileSync(join(a, 'log'), line)
    await delay(5)
    const seen = readTree(b).log
    if (seen !== undefined) lengths.add(Number(seen.split(' ')[0]) % line.length)
  }
  await until('both are equal', () => JSON.stringify(readTree(b)) === JSON.stringify(readTree(a)))
  expect([...lengths].filter((rest) => rest !== 0)).toEqual([])
  expect(readdirSync(b).sort()).toEqual(['.tidemark', 'log'])
  for (const running of [left, right]) await running.stop()
}, 60_000)

test('[FB13] a large file that is renamed or removed while it is sent leaves nothing that is waited for', async () => {
  writeFileSync(join(a, 'small'), 'small')
  const running = world.live(a, hub)
  await until('it has synced once', () => running.lines.length > 0 && isIdle(a))
  writeRandomFile(join(a, 'movie.part'), 64 * MIB, 'movie')
  writeRandomFile(join(a, 'gone.part'), 64 * MIB, 'gone')
  await until('it is under way', async () => (await world.status(a)).detail.includes('large files'))
  renameSync(join(a, 'movie.part'), join(a, 'movie.mkv'))
  unlinkSync(join(a, 'gone.part'))
  await until('it is idle again', () => isIdle(a))
  await running.stop()
  await expectEqual()
  expect(readdirSync(b).sort()).toEqual(['.tidemark', 'movie.mkv', 'small'])
}, 90_000)

test('a file whose modification time is in the future takes the edits of others', async () => {
  const file = join(a, 'f')
  writeRandomFile(file, 2 * MIB, 'first')
  const tomorrow = Date.now() / 1_000 + 86_400
  utimesSync(file, tomorrow, tomorrow)
  await world.once(a, hub)
  await world.once(b, hub)
  writeRandomFile(join(b, 'f'), 2 * MIB, 'second')
  await world.once(b, hub)
  await world.once(a, hub)
  await expectEqual()
}, 90_000)
