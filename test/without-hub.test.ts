import { existsSync, mkdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Hub, until, type World } from './support/processes.js'
import { readTree } from './support/trees.js'
import { twoFolders } from './support/two-folders.js'

const DELETES = ['--max-delete', '3']

let world: World
let hub: Hub
let a: string
let b: string
beforeEach(async () => {
  ;({ world, hub, a, b } = await twoFolders())
  mkdirSync(join(a, 'dir/sub'), { recursive: true })
  for (let i = 0; i < 5; i++) writeFileSync(join(a, `dir/${i}.txt`), `file ${i}`)
  writeFileSync(join(a, 'dir/large.bin'), Buffer.alloc(9 * 1024 * 1024, 7))
  writeFileSync(join(a, 'dir/empty.txt'), '')
  symlinkSync('0.txt', join(a, 'dir/link'))
})
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') {
    process.stdout.write(`${(await world.run(['status', a, '--json'])).stdout}\n`)
  }
  await world.close()
})

const stateOf = async (folder: string): Promise<string> =>
  (await world.status(folder).catch(() => undefined))?.state ?? ''

/** Two devices hold the same, one deletes all; then the hub goes. */
async function heldWithoutHub(): Promise<void> {
  await world.once(a, hub)
  await world.once(b, hub)
  world.live(a, hub, DELETES)
  await until('a is idle', async () => (await stateOf(a)) === 'idle')
  rmSync(join(a, 'dir'), { recursive: true })
  await until('a is held', async () => (await stateOf(a)) === 'held')
  await hub.kill()
  await until('a knows that the hub is gone', async () => !(await world.status(a)).connected)
}

describe('decisions while the hub is away', () => {
  test('[LV6] revert brings back what needs no bytes, says what needs the hub, and the rest follows', async () => {
    await heldWithoutHub()
    const { code, stderr } = await world.run(['revert', a], { timeoutMs: 30_000 })
    expect(code).toBe(3)
    expect(stderr).toContain('6 file(s), whose bytes are not here')
    expect(readlinkSync(join(a, 'dir/link'))).toBe('0.txt')
    expect(existsSync(join(a, 'dir/sub')) && existsSync(join(a, 'dir/empty.txt'))).toBe(true)
    const status = await world.status(a)
    expect(status).toMatchObject({ state: 'offline', held: null })
    expect(status.problems.map(({ cause }) => cause)).toEqual(Array(6).fill('waiting-for-hub'))
    writeFileSync(join(a, 'local.txt'), 'local changes are still seen')
    hub = await world.hub(hub.port)
    await until(
      'the files are back',
      () => existsSync(join(a, 'dir/4.txt')) && existsSync(join(a, 'dir/large.bin')),
    )
    await until('a is idle', async () => (await stateOf(a)) === 'idle')
    await world.once(b, hub)
    expect(readTree(a)).toEqual(readTree(b))
    expect((await world.status(a)).problems).toEqual([])
  })

  test('[LV6] accept says that the rest needs the hub, and the deletions are sent when it is back', async () => {
    await heldWithoutHub()
    const { code, stderr } = await world.run(['accept', a], { timeoutMs: 30_000 })
    expect(code).toBe(3)
    expect(stderr).toContain('when the hub can be reached')
    hub = await world.hub(hub.port)
    world.live(b, hub)
    await until('the deletions arrive', () => !existsSync(join(b, 'dir')))
  })
})
