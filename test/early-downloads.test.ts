import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type ByteSource, openReplica, type Replica, type Space } from '@tidemark/engine'
import { nodePlatform, openLevelStore } from '@tidemark/engine/node'
import { webSocketTransport } from '@tidemark/transport-ws'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { randomBytesOf } from './support/bytes.js'
import { type Hub, type Program, TOKEN, until, World } from './support/processes.js'
import { startProxy, type TcpProxy } from './support/proxy.js'

const MIB = 1024 * 1024
const BYTES = randomBytesOf(48 * MIB, 'early')

let world: World
let hub: Hub
let b: string
let toB: TcpProxy
let follower: Program
let sender: Replica
let space: Space
beforeEach(async () => {
  world = new World()
  b = world.path('b')
  mkdirSync(b)
  hub = await world.hub()
  toB = await startProxy(hub)
  follower = world.live(b, toB)
  await until('b is idle', async () => (await world.status(b).catch(() => undefined))?.state === 'idle')
  // A program that keeps no bytes: it sends what it reads.
  sender = await openReplica({ storage: await openLevelStore(world.path('sender')), platform: nodePlatform })
  sender.connect(webSocketTransport(hub.url), { token: TOKEN })
  space = await sender.openSpace('default')
  await space.settled({ signal: AbortSignal.timeout(20_000) })
})
afterEach(async () => {
  await sender.close()
  await toB.close()
  await world.close()
})

/** These bytes, whose reader waits at a place until it may go on. */
function pausingSource(bytes: Uint8Array, atByte: number): ByteSource & { goOn(): void } {
  let goOn = (): void => undefined
  const mayGoOn = new Promise<void>((resolve) => {
    goOn = resolve
  })
  return {
    size: bytes.length,
    read: async (offset, length) => {
      if (offset + length > atByte) await mayGoOn
      return bytes.subarray(offset, offset + length)
    },
    close: async () => undefined,
    goOn,
  }
}

/** Bytes of files in the folder's staging. */
function staged(): number {
  const staging = join(b, '.tidemark/staging')
  return readdirSync(staging).reduce((sum, name) => sum + statSync(join(staging, name)).size, 0)
}

test('[TR6] a large file comes while it is still being sent', async () => {
  const source = pausingSource(BYTES, 36 * MIB)
  const written = space.write('large.bin', source)
  await until('most of it is there', () => toB.downBytes >= 31 * MIB, 30_000)
  expect(existsSync(join(b, 'large.bin'))).toBe(false)
  const before = toB.downBytes
  source.goOn()
  await written
  await until('b has the file', () => existsSync(join(b, 'large.bin')), 30_000)
  expect(BYTES.equals(readFileSync(join(b, 'large.bin')))).toBe(true)
  expect(toB.downBytes - before).toBeLessThan(26 * MIB)
  expect(staged()).toBe(0)
})

test('[TR6] what is never finished leaves nothing but a file in staging, which the next start removes', async () => {
  const given = new AbortController()
  const source = pausingSource(BYTES, 36 * MIB)
  const written = space.write('large.bin', source, { signal: given.signal })
  await until('most of it is there', () => toB.downBytes >= 31 * MIB, 30_000)
  given.abort()
  source.goOn()
  await expect(written).rejects.toThrow()
  expect(staged()).toBeGreaterThan(24 * MIB)
  await follower.kill()
  follower = world.live(b, toB)
  await until('staging is empty', () => staged() === 0)
})
