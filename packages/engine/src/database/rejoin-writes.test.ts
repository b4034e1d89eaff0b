import {
  type ChunkId,
  type DeviceId,
  type NodeEntry,
  PathError,
  parseSpaceName,
  type ReplicaId,
  ROOT,
  type RunId,
} from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { MemoryKeyValueStore } from '../adapters/memory-store.js'
import { nodePlatform } from '../node/index.js'
import { removeOps } from '../space-ops.js'
import { SpaceDatabase } from './space-database.js'

const HUB = 'b'.repeat(16) as DeviceId
const OTHER = '9'.repeat(16) as ReplicaId

class Full extends MemoryKeyValueStore {
  /** Keys with this in them do not fit. */
  full: string | undefined
  onBegin: (() => void) | undefined
  override async batch(...args: Parameters<MemoryKeyValueStore['batch']>) {
    const { full, onBegin } = this
    if (onBegin && args[0].some(({ key }) => key.endsWith('z/state'))) {
      this.onBegin = undefined
      onBegin()
    }
    if (full !== undefined && args[0].some(({ key }) => key.includes(full))) throw new Error('no room')
    return super.batch(...args)
  }
}

const open = (storage: MemoryKeyValueStore) =>
  SpaceDatabase.open({
    storage,
    space: parseSpaceName('photos'),
    device: 'a'.repeat(16) as DeviceId,
    mode: 'direct',
    clock: nodePlatform.clock,
    random: nodePlatform.random,
    sha256: (bytes) => nodePlatform.hasher.sha256(bytes),
  })
const names = async (database: SpaceDatabase) => {
  const all: string[] = []
  for await (const page of database.received.children(ROOT)) all.push(...page.map(({ name }) => name))
  return all.sort()
}
const file = (name: string, byte: string) =>
  ({
    type: 'create',
    ref: name,
    parent: { node: ROOT },
    name,
    kind: 'file',
    content: { root: byte.repeat(64) as ChunkId, height: 0, size: 1, mtimeMs: 1 },
  }) as const

/** The space as a hub shows it that has collected something else. */
async function hubOf(database: SpaceDatabase) {
  const snapshot = await database.snapshot()
  const nodes: NodeEntry[] = []
  for await (const page of snapshot.log(0))
    for (const node of await snapshot.nodes(page.map((entry) => entry.node))) if (node) nodes.push(node)
  await snapshot.close()
  const frontier = new Map([...database.frontier, [OTHER, 5] as const])
  const cursor = { run: 'f'.repeat(16) as RunId, lseq: nodes.length }
  const floor = new Map([[OTHER, 5]])
  const point = { cursor, frontier, met: frontier, floor, lost: new Map() }
  const send = async () => {
    await database.receive(HUB, nodes, cursor)
    await database.syncPoint(HUB, point)
  }
  return { frontier, send }
}

test.each(['z/aside/', 'r/n/'])(
  '[GC17] what is written after a beginning anew that found no room (%s) is kept, beside what the hub has',
  async (full) => {
    const storage = new Full()
    const database = await open(storage)
    await database.commit([file('shared', '1')])
    const hub = await hubOf(database)
    storage.full = full
    await expect(database.rejoin(HUB, { frontier: hub.frontier }, 'forget')).rejects.toThrow('no room')
    storage.full = undefined
    await database.commit([file('written meanwhile', '2')])
    await hub.send()
    expect([database.isRejoining, await names(database)]).toEqual([false, ['shared', 'written meanwhile']])
  },
)

test('[GC17] what is forgotten in part is not deleted by its user, and nothing of it is claimed', async () => {
  const storage = new Full()
  const database = await open(storage)
  await database.commit([file('shared', '1'), file('big', '3')])
  const hub = await hubOf(database)
  const { met } = database
  storage.full = 'z/aside/'
  await expect(database.rejoin(HUB, { frontier: hub.frontier }, 'forget')).rejects.toThrow('no room')
  storage.full = undefined
  await expect(database.commit((tree) => removeOps(tree, 'big', false))).rejects.toThrow(PathError)
  await hub.send()
  expect([...database.frontier.keys()].sort()).toEqual([...met.keys(), OTHER].sort())
  expect(await names(database)).toEqual(['big', 'shared'])
})

test('[GC17] while there is no room to begin anew nothing is written', async () => {
  const storage = new Full()
  const database = await open(storage)
  await database.commit([file('shared', '1')])
  const { frontier, send } = await hubOf(database)
  storage.full = 'z/aside/'
  let waits: Promise<unknown> | undefined
  storage.onBegin = () => {
    // Its turn comes once the beginning has failed.
    waits = database.commit([file('too early', '2')])
    waits.catch(() => undefined)
  }
  await expect(database.rejoin(HUB, { frontier }, 'forget')).rejects.toThrow('no room')
  await expect(waits).rejects.toMatchObject({ code: 'BEGINS_ANEW', retry: 'later' })
  await expect(database.commit([file('still too early', '2')])).rejects.toThrow('no room')
  await expect(database.refusals.takeBack([])).rejects.toThrow('no room')
  storage.full = undefined
  await database.resumeRejoin()
  await send()
  expect(await names(database)).toEqual(['shared'])
})
