import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { writeRandomFile } from './support/bytes.js'
import { type Hub, until, type World } from './support/processes.js'
import { readTree } from './support/trees.js'
import { twoFolders } from './support/two-folders.js'

let world: World
let hub: Hub
let a: string
let b: string
beforeEach(async () => {
  ;({ world, hub, a, b } = await twoFolders())
})
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') {
    for (const folder of [a, b])
      process.stdout.write(`${(await world.run(['status', folder, '--json'])).stdout}\n`)
  }
  await world.close()
})

/** Ends the hub, changes its directory, starts it at the same port. */
async function whileStopped(change: () => void): Promise<void> {
  await hub.stop()
  change()
  hub = await world.hub(hub.port)
}

const backup = (): void => cpSync(world.path('hub'), world.path('backup'), { recursive: true })
function restore(): void {
  rmSync(world.path('hub'), { recursive: true })
  cpSync(world.path('backup'), world.path('hub'), { recursive: true })
}

/** Paths of all blobs in the hub's store. */
function blobs(): string[] {
  const store = world.path('hub', 'store')
  const names = readdirSync(store, { recursive: true }) as string[]
  return names.filter((name) => /\/default\/[0-9a-f]{64}$/.test(name)).map((name) => join(store, name))
}

const fill = (folder: string): void => {
  mkdirSync(join(folder, 'sub'), { recursive: true })
  writeFileSync(join(folder, 'small.txt'), 'some bytes')
  writeFileSync(join(folder, 'sub/other.txt'), 'other bytes')
  writeFileSync(join(folder, 'empty.txt'), '')
  writeRandomFile(join(folder, 'large.bin'), 12 * 1024 * 1024, 'large')
}

describe('a hub that lost bytes', () => {
  test('[BG22] restored from an older backup, gets entries and bytes back from a device that has them', async () => {
    writeFileSync(join(a, 'before.txt'), 'in the backup')
    await world.once(a, hub)
    await whileStopped(backup)
    fill(a)
    await world.once(a, hub)
    await whileStopped(restore)
    // It settles only when the hub has the bytes again.
    await world.once(a, hub)
    await world.once(b, hub)
    expect(readTree(b)).toEqual(readTree(a))
  })

  test('[BG22] asks the device that has the bytes, also when another one told it of the entries', async () => {
    await world.once(a, hub)
    await whileStopped(backup)
    fill(a)
    await world.once(a, hub)
    await world.once(b, hub)
    await whileStopped(restore)
    for (const name of ['small.txt', 'sub', 'large.bin']) rmSync(join(b, name), { recursive: true })
    expect(await world.once(b, hub, { extra: ['--max-delete', '0'] })).toBe(3)
    await world.once(a, hub)
    const c = world.path('c')
    mkdirSync(c)
    await world.once(c, hub)
    expect(readTree(c)).toEqual(readTree(a))
  })

  test('[BG22] with an older database over its current store, needs no device for the bytes', async () => {
    const database = (from: string, to: string): void => {
      rmSync(world.path(to, 'database'), { recursive: true, force: true })
      cpSync(world.path(from, 'database'), world.path(to, 'database'), { recursive: true })
    }
    await world.once(a, hub)
    await whileStopped(() => database('hub', 'backup'))
    fill(a)
    await world.once(a, hub)
    await world.once(b, hub)
    await whileStopped(() => database('backup', 'hub'))
    for (const name of ['small.txt', 'sub', 'large.bin']) rmSync(join(b, name), { recursive: true })
    expect(await world.once(b, hub, { extra: ['--max-delete', '0'] })).toBe(3)
    const c = world.path('c')
    mkdirSync(c)
    await world.once(c, hub)
    expect(readTree(c)).toEqual(readTree(a))
  })

  test('[BG22] that has lost its whole directory has everything again after a device was there', async () => {
    fill(a)
    await world.once(a, hub)
    await whileStopped(() => rmSync(world.path('hub'), { recursive: true }))
    await world.once(a, hub)
    await world.once(b, hub)
    expect(readTree(b)).toEqual(readTree(a))
  })

  test('[BG22] whose blobs are gone, though its database names them, gets them back after its start', async () => {
    fill(a)
    await world.once(a, hub)
    await whileStopped(() => {
      for (const path of blobs()) rmSync(path)
    })
    world.live(a, hub)
    await until('the blobs are back', () => blobs().length > 0)
    world.live(b, hub)
    await until('b has the files', () => existsSync(join(b, 'large.bin')) && existsSync(join(b, 'small.txt')))
    await until('b is idle', async () => (await world.status(b)).state === 'idle')
    expect(readTree(b)).toEqual(readTree(a))
  })

  test('[BG22] one blob of a large file that is gone while the hub runs is noticed at a read, and comes back', async () => {
    fill(a)
    world.live(a, hub)
    await until('a is idle', async () => (await world.status(a).catch(() => undefined))?.state === 'idle')
    const lost = blobs().sort((x, y) => readFileSync(y).length - readFileSync(x).length)[0]!
    rmSync(lost)
    world.live(b, hub)
    await until('b has the large file', () => existsSync(join(b, 'large.bin')), 60_000)
    expect(readTree(b)).toEqual(readTree(a))
  })

  test.each([
    ['rot', (bytes: Buffer) => Buffer.from(bytes.map((byte, i) => (i % 1_000 === 500 ? byte ^ 1 : byte)))],
    ['are cut short', (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)],
  ])(
    '[BG28] blobs that %s are noticed by who reads them, and come back from a device that has the bytes',
    async (_, harm) => {
      fill(a)
      await world.once(a, hub)
      await whileStopped(() => {
        for (const path of blobs()) writeFileSync(path, harm(readFileSync(path)))
      })
      world.live(a, hub)
      world.live(b, hub)
      const names = ['small.txt', 'large.bin', 'sub/other.txt']
      await until('b has all files', () => names.every((name) => existsSync(join(b, name))), 60_000)
      expect(readTree(b)).toEqual(readTree(a))
      await until('b is idle', async () => (await world.status(b)).state === 'idle')
      expect(hub.log.join('\n')).toContain('blob-damaged')
    },
  )

  test('[BG22] a version that nobody holds any more holds nothing back', async () => {
    fill(a)
    await world.once(a, hub)
    await whileStopped(() => {
      for (const path of blobs()) rmSync(path)
    })
    // Edited meanwhile: the version that the hub shows is nowhere any more, until the edit replaces it.
    writeFileSync(join(a, 'small.txt'), 'edited bytes')
    world.live(a, hub)
    world.live(b, hub)
    const small = join(b, 'small.txt')
    const isEdited = () => existsSync(small) && readFileSync(small, 'utf8') === 'edited bytes'
    await until('b has all files', () => existsSync(join(b, 'large.bin')) && isEdited(), 60_000)
    expect(readTree(b)).toEqual(readTree(a))
  })
})
