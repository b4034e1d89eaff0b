import { MemoryKeyValueStore, openReplica } from '@tidemark/engine'
import { nodePlatform } from '@tidemark/engine/node'
import { webSocketTransport } from '@tidemark/transport-ws'
import { expect, test } from 'vitest'
import { atEnd, hub } from './fixture.js'

test('[AC2] who may only read evicts nobody by naming his device as its own', async () => {
  const server = await hub({
    tokens: [
      { token: 'w', subject: 'ann', spaces: '*', access: 'write' },
      { token: 'r', subject: 'mallory', spaces: '*', access: 'read' },
    ],
  })
  const open = async (storage: MemoryKeyValueStore, token: string) => {
    const replica = await openReplica({ storage, platform: nodePlatform })
    atEnd(() => replica.close())
    replica.connect(webSocketTransport(server.url), { token })
    const space = await replica.openSpace('default')
    await space.settled()
    return { replica, space }
  }
  const members = async () =>
    /^tidemark_members (\d+)/m.exec(await (await fetch(`${server.url}/metrics`)).text())![1]
  const ann = await open(new MemoryKeyValueStore(), 'w')
  await ann.space.mkdir('a')
  await ann.space.settled()
  expect(await members()).toBe('1')
  const storage = new MemoryKeyValueStore()
  await storage.batch(
    [
      {
        type: 'put',
        key: 'device',
        value: new TextEncoder().encode(JSON.stringify({ id: ann.replica.device })),
      },
    ],
    { sync: true },
  )
  await open(storage, 'r')
  const count = await members()
  await ann.space.remove('a')
  await ann.space.settled()
  await new Promise((resolve) => setTimeout(resolve, 500))
  await ann.space.settled()
  const left = (await ann.space.list()).map(({ name }) => name)
  expect([count, left]).toEqual(['1', []])
})
