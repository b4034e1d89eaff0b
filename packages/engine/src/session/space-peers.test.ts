import { AccessError, type DeviceId, type Hello, parseSpaceName } from '@tidemark/protocol'
import { createMemoryConnectionPair } from '@tidemark/protocol/memory'
import { expect, onTestFinished, test, vi } from 'vitest'
import { MemoryKeyValueStore } from '../adapters/memory-store.js'
import { SpaceDatabase } from '../database/space-database.js'
import { nodePlatform } from '../node/index.js'
import { ChunkCache } from '../transfer/chunk-cache.js'
import { makeHello } from './hello.js'
import { Session, type SessionHost } from './session.js'
import { SpacePeers } from './space-peers.js'

const { timers, hasher } = nodePlatform
const device = (role: Hello['role']) => (role === 'hub' ? 'b' : 'a').repeat(16) as DeviceId

async function peersOf(role: Hello['role'], name: string): Promise<[SpaceDatabase, SpacePeers]> {
  const database = await SpaceDatabase.open({
    ...nodePlatform,
    storage: new MemoryKeyValueStore(),
    space: parseSpaceName(name),
    device: device(role),
    mode: role === 'hub' ? 'relay' : 'direct',
    sha256: (bytes) => hasher.sha256(bytes),
  })
  const isHub = role === 'hub'
  const options = { database, hasher, cache: new ChunkCache(), isHub, onChange: () => undefined }
  return [database, new SpacePeers(options)]
}

test('[SE7] a hub that has no place for one more member of a space refuses that space alone', async () => {
  const [full, hubFull] = await peersOf('hub', 'full')
  const [, hubOther] = await peersOf('hub', 'other')
  vi.spyOn(full.gc, 'admit').mockRejectedValue(new AccessError('FORBIDDEN', 'too many devices'))
  const host = (role: Hello['role'], opened: SessionHost['peerOpened']): SessionHost => ({
    hello: makeHello({ device: device(role), role, agent: 'test' }),
    timers,
    admit: async () => undefined,
    peerOpened: opened,
  })
  const { near, far } = createMemoryConnectionPair()
  const hub = new Session(
    far,
    host('hub', async (session, space) =>
      (space === 'full' ? hubFull : hubOther).endpoint(session, { mayWrite: true, admits: true }),
    ),
  )
  const session = new Session(
    near,
    host('replica', async () => Promise.reject(new AccessError('NO_SUCH_SPACE', ''))),
  )
  onTestFinished(() => session.close())
  await Promise.all([session.ready, hub.ready])
  const [[, mineFull], [, mineOther]] = [await peersOf('replica', 'full'), await peersOf('replica', 'other')]
  session.addSpace(parseSpaceName('full'), mineFull.endpoint(session, { mayWrite: true }))
  session.addSpace(parseSpaceName('other'), mineOther.endpoint(session, { mayWrite: true }))
  await expect.poll(() => mineFull.refusal).toMatchObject({ code: 'FORBIDDEN' })
  await expect.poll(() => mineOther.hub).toBeDefined()
  expect([mineFull, hubFull].map(({ all }) => all.size)).toEqual([0, 0])
})
