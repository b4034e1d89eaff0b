import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openReplica, type Replica, type Space } from '@tidemark/engine'
import { nodePlatform, openLevelStore } from '@tidemark/engine/node'
import { MTIME_MS_MAX, parseSpaceName } from '@tidemark/protocol'
import { fsBlobStore } from '@tidemark/store-fs'
import { webSocketTransport } from '@tidemark/transport-ws'
import { firstValueFrom } from 'rxjs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createHub, type Hub } from '../src/index.js'

const TOKEN = 'secret'
let home: string
let hub: Hub
const replicas: Replica[] = []

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'tidemark-replicas-'))
  hub = await createHub({ dataDirectory: join(home, 'hub'), port: 0, token: TOKEN })
})
afterEach(async () => {
  for (const replica of replicas.splice(0)) await replica.close()
  await hub.close()
  await rm(home, { recursive: true, force: true })
})

async function device(
  name: string,
  options: { token?: string; offline?: boolean } = {},
): Promise<{ replica: Replica; space: Space }> {
  const blobs = fsBlobStore({ directory: join(home, name, 'blobs') })
  await blobs.open()
  const replica = await openReplica({
    storage: await openLevelStore(join(home, name, 'database')),
    platform: nodePlatform,
    blobs,
  })
  replicas.push(replica)
  if (!options.offline) replica.connect(webSocketTransport(hub.url), { token: options.token ?? TOKEN })
  return { replica, space: await replica.openSpace('photos') }
}

/** Until all show the same and the hub has everything of each. */
const settle = async (...spaces: Space[]): Promise<void> => {
  const signal = AbortSignal.timeout(20_000)
  for (;;) {
    for (const space of spaces) await space.settled({ signal })
    const views = await Promise.all(spaces.map(versions))
    if (views.every((view) => view === views[0])) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
const versions = async (space: Space): Promise<string> => {
  const lines: string[] = []
  for await (const { path, entry } of space.walk()) lines.push(`${path} ${entry.version?.root}`)
  return lines.join('\n')
}
const text = async (space: Space, path: string): Promise<string> =>
  Buffer.from(await space.readFile(path)).toString()
const shown = async (space: Space): Promise<string[]> => {
  const paths: string[] = []
  for await (const { path } of space.walk()) paths.push(path)
  return paths
}

test('[TR1] what one device writes the other reads, small and large, and in ranges', async () => {
  const [{ space: a }, { space: b }] = [await device('a'), await device('b')]
  await a.mkdir('2026')
  await a.write('2026/note.txt', 'hello')
  const large = new Uint8Array(5_000_000).map((_, i) => (i * 2_654_435_761) >>> 13)
  await a.write('2026/large.bin', large)
  await settle(a, b)
  expect(await shown(b)).toEqual(['2026', '2026/large.bin', '2026/note.txt'])
  expect(await text(b, '2026/note.txt')).toBe('hello')
  expect(Buffer.compare(Buffer.from(await b.readFile('2026/large.bin')), Buffer.from(large))).toBe(0)
  const range = await b.readFile('2026/large.bin', { start: 1_000_001, end: 1_200_001 })
  expect(Buffer.compare(Buffer.from(range), Buffer.from(large.subarray(1_000_001, 1_200_001)))).toBe(0)
})

test('[VW4] a directory moves as one record, and a delete reaches the other device', async () => {
  const [{ space: a }, { space: b }] = [await device('a'), await device('b')]
  await a.mkdir('d')
  for (let i = 0; i < 20; i++) await a.write(`d/${i}.txt`, `file ${i}`)
  await settle(a, b)
  await b.move('d', 'e')
  await settle(b, a)
  expect(await text(a, 'e/7.txt')).toBe('file 7')
  await a.remove('e', { recursive: true })
  await settle(a, b)
  expect(await shown(b)).toEqual([])
})

test('[NL11] offline edits on both sides end as a file and a conflict copy, the same on both', async () => {
  const { space: a, replica: ra } = await device('a')
  await a.write('f.txt', 'base')
  const first = await device('b')
  await settle(a, first.space)
  await ra.close()
  await first.replica.close()
  const left = await device('a', { offline: true })
  const right = await device('b', { offline: true })
  await left.space.write('f.txt', 'left')
  await right.space.write('f.txt', 'right')
  for (const { replica } of [left, right]) replica.connect(webSocketTransport(hub.url), { token: TOKEN })
  await settle(left.space, right.space)
  expect(await shown(right.space)).toEqual(await shown(left.space))
  const paths = await shown(left.space)
  expect(paths).toHaveLength(2)
  const texts = await Promise.all(paths.map((path) => text(right.space, path)))
  expect(texts.sort()).toEqual(['left', 'right'])
  expect(await left.space.conflicts()).toHaveLength(1)
})

test('[AC1] a wrong token is refused with its code, and nothing is sent', async () => {
  const { replica } = await device('a', { token: 'wrong' })
  const error = await new Promise<Error | undefined>((resolve) => {
    replica.peers$.subscribe((peers) => {
      if (peers[0]?.error) resolve(peers[0].error)
    })
  })
  expect(error).toMatchObject({ code: 'UNAUTHENTICATED' })
})

test('[BG22] a hub whose blobs are gone gets them back from a device that keeps what it wrote', async () => {
  const { space: a } = await device('a')
  await a.write('small.txt', 'small')
  await a.write('large.txt', 'large '.repeat(50_000))
  await settle(a)
  const { port } = hub
  await hub.close()
  await rm(join(home, 'hub', 'store', 'blobs'), { recursive: true })
  hub = await createHub({ dataDirectory: join(home, 'hub'), port, token: TOKEN })
  const { space: b } = await device('b')
  await settle(a, b)
  await expect.poll(() => text(b, 'small.txt').catch(() => ''), { timeout: 20_000 }).toBe('small')
  await expect.poll(() => text(b, 'large.txt').catch(() => ''), { timeout: 20_000 }).toContain('large large')
})

test('[AC2] what a device writes that may only read stays there and says so, and is sent when it may write', async () => {
  const { port } = hub
  const restart = async (access: 'read' | 'write'): Promise<void> => {
    await hub.close()
    const tokens = [{ token: 'viewer', subject: 'viewer', spaces: '*' as const, access }]
    hub = await createHub({ dataDirectory: join(home, 'hub'), port, token: TOKEN, tokens })
  }
  await restart('read')
  const { space: a } = await device('a')
  await a.write('f.txt', 'base')
  const { space: viewer } = await device('viewer', { token: 'viewer' })
  await settle(a, viewer)
  await viewer.write('f.txt', 'edited by the viewer')
  await viewer.write('new.txt', 'made by the viewer')
  await expect(viewer.settled({ signal: AbortSignal.timeout(10_000) })).rejects.toMatchObject({
    code: 'FORBIDDEN',
  })
  await a.write('later.txt', 'later')
  await expect.poll(() => text(viewer, 'later.txt').catch(() => ''), { timeout: 10_000 }).toBe('later')
  expect(await text(a, 'f.txt')).toBe('base')
  await restart('write')
  await settle(a, viewer)
  expect(await text(a, 'f.txt')).toBe('edited by the viewer')
  await expect.poll(() => text(a, 'new.txt').catch(() => ''), { timeout: 10_000 }).toBe('made by the viewer')
})

test('[SE7] a space that a device may not read keeps none of its other spaces up', async () => {
  const { port } = hub
  await hub.close()
  const tokens = [
    { token: 'guest', subject: 'guest', spaces: [parseSpaceName('photos')], access: 'write' as const },
  ]
  hub = await createHub({ dataDirectory: join(home, 'hub'), port, token: TOKEN, tokens })
  const { replica, space } = await device('guest', { token: 'guest' })
  const other = await replica.openSpace('other')
  const error = () => firstValueFrom(other.status$).then((state) => state.error)
  await expect.poll(error, { timeout: 10_000 }).toMatchObject({ code: 'FORBIDDEN' })
  await space.write('f.txt', 'text')
  await settle(space, (await device('b')).space)
  expect(await firstValueFrom(other.status$)).toMatchObject({
    connected: false,
    error: { code: 'FORBIDDEN' },
  })
})

test('[CR18] a hub that was restarted goes on where it was', async () => {
  const [{ space: a }, { space: b }] = [await device('a'), await device('b')]
  await a.write('one.txt', 'one')
  await settle(a, b)
  const { port } = hub
  await hub.close()
  await a.write('two.txt', 'two')
  hub = await createHub({ dataDirectory: join(home, 'hub'), port, token: TOKEN })
  await settle(a, b)
  expect(await text(b, 'two.txt')).toBe('two')
})

test.each([0.5, MTIME_MS_MAX + 1, -MTIME_MS_MAX - 1, Number.NaN])(
  'a modification time of %d is refused, and the file can still be written',
  async (mtimeMs) => {
    const { space } = await device('ann', { offline: true })
    await space.write('a.txt', 'one', { mtimeMs: MTIME_MS_MAX })
    await expect(space.write('a.txt', 'two', { mtimeMs })).rejects.toThrow(RangeError)
    await space.write('a.txt', 'three')
    expect(await text(space, 'a.txt')).toBe('three')
  },
)
