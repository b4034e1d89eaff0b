import {
  type ChunkId,
  type DeviceId,
  type NodeEntry,
  parseSpaceName,
  type ReplicaId,
  ROOT,
  type RunId,
  type Vector,
} from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { MemoryKeyValueStore } from '../adapters/memory-store.js'
import { entryKey } from '../core/view-entry.js'
import { nodePlatform } from '../node/index.js'
import { SpaceDatabase } from './space-database.js'

const HUB = 'b'.repeat(16) as DeviceId
const NEW_HUB = 'c'.repeat(16) as DeviceId
const NOTHING: Vector = new Map()
const EMPTY_POINT = {
  cursor: { run: 'f'.repeat(16) as RunId, lseq: 1 },
  frontier: NOTHING,
  met: NOTHING,
  floor: NOTHING,
  lost: NOTHING,
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
const content = (byte: string) => ({ root: byte.repeat(64) as ChunkId, height: 0, size: 1, mtimeMs: 1 })
const names = async (database: SpaceDatabase) => {
  const all: string[] = []
  for await (const page of database.received.children(ROOT)) all.push(...page.map(({ name }) => name))
  return all.sort()
}

test('[GC17] what was noted for a beginning that was given up does not come back later', async () => {
  const storage = new MemoryKeyValueStore()
  const database = await open(storage)
  const shared = await database.commit([
    { type: 'create', ref: 's', parent: { node: ROOT }, name: 's', kind: 'file', content: content('1') },
  ])
  const common = database.frontier
  const made = await database.commit([
    { type: 'create', ref: 'f', parent: { node: ROOT }, name: 'f', kind: 'file', content: content('2') },
  ])
  await database.rejoin(HUB, { frontier: common }, 'forget')
  // The hub is put back to a backup: what was forgotten for its sake comes back.
  expect(await database.restoreIfBaseLost(HUB, new Map())).toBe(true)
  expect(await names(database)).toEqual(['f', 's'])
  // Weeks later.
  await database.commit([{ type: 'delete', entry: entryKey(made.created.get('f')!) }])
  expect(await names(database)).toEqual(['s'])
  await database.idle()
  const again = await open(storage)
  expect(await names(again)).toEqual(['s'])
  expect(shared.created.size).toBe(1)
})

test('[GC17] one that waits for a hub that is gone for ever goes on with another one', async () => {
  const storage = new MemoryKeyValueStore()
  const database = await open(storage)
  await database.commit([
    { type: 'create', ref: 's', parent: { node: ROOT }, name: 's', kind: 'file', content: content('1') },
  ])
  await database.rejoin(HUB, { frontier: database.frontier }, 'forget')
  // A new hub that holds nothing.
  const frontier = new Map()
  await database.followHub(NEW_HUB)
  await database.restoreIfBaseLost(NEW_HUB, frontier)
  await database.syncPoint(NEW_HUB, {
    cursor: { run: 'f'.repeat(16) as RunId, lseq: 0 },
    frontier,
    met: frontier,
    floor: frontier,
    lost: frontier,
  })
  expect([database.isRejoining, await names(database)]).toEqual([false, ['s']])
})

test('[GC17] another hub that opens the space while the awaited state comes in is not waited for', async () => {
  const database = await open(new MemoryKeyValueStore())
  await database.rejoin(HUB, { frontier: NOTHING }, 'forget')
  await Promise.all([database.syncPoint(HUB, EMPTY_POINT), database.followHub(NEW_HUB)])
  expect(database.isRejoining).toBe(false)
})

class Dying extends MemoryKeyValueStore {
  isArmed = false
  override async batch(...args: Parameters<MemoryKeyValueStore['batch']>) {
    if (this.isArmed && args[0].some(({ type, key }) => type === 'del' && key.includes('z/o/')))
      throw new Error('crash')
    return super.batch(...args)
  }
}

test('[GC17] a crash while orphans become files again makes no second copy', async () => {
  const storage = new Dying()
  const database = await open(storage)
  await database.commit([
    { type: 'create', ref: 'f', parent: { node: ROOT }, name: 'f', kind: 'file', content: content('1') },
  ])
  await database.rejoin(HUB, { frontier: new Map() }, 'forget')
  const other = await open(new MemoryKeyValueStore())
  const made = await other.commit([
    { type: 'create', ref: 'f', parent: { node: ROOT }, name: 'f', kind: 'file', content: content('2') },
  ])
  const cursor = { run: other.run, lseq: 1 }
  await database.receive(HUB, [(await other.received.node(made.created.get('f')!.node))!], cursor)
  storage.isArmed = true
  await database
    .syncPoint(HUB, { cursor, frontier: other.frontier, met: other.met, floor: new Map(), lost: new Map() })
    .catch(() => undefined)
  storage.isArmed = false
  const again = await open(storage)
  expect((await names(again)).length).toBe(2)
})

test('[GC17] of one node two versions are kept, where a beginning has not ended when the next one comes (seed 1449)', async () => {
  const database = await open(new MemoryKeyValueStore())
  const made = await database.commit([
    { type: 'create', ref: 's', parent: { node: ROOT }, name: 's', kind: 'file', content: content('1') },
  ])
  const first = (await database.received.node(made.created.get('s')!.node))!
  await database.rejoin(HUB, { frontier: NOTHING }, 'forget')
  const rid = 'f'.repeat(16) as ReplicaId
  const second: NodeEntry = {
    ...first,
    loc: first.loc.map((sibling) => ({ ...sibling, dot: { rid, seq: 1 } })),
    content: first.content.map(({ value, ...sibling }) => ({
      ...sibling,
      dot: { rid, seq: 2 },
      value: { ...value, root: content('2').root },
    })),
  }
  await database.receive(HUB, [second], { run: 'f'.repeat(16) as RunId, lseq: 1 })
  await database.rejoin(HUB, { frontier: NOTHING }, 'forget')
  await database.syncPoint(HUB, EMPTY_POINT)
  const roots: (string | undefined)[] = []
  for await (const page of database.received.children(ROOT))
    roots.push(...page.map(({ version }) => version?.root[0]))
  expect(roots.sort()).toEqual(['1', '2'])
})

test('[GC17] to a hub that went back nothing is claimed that may have been collected (seed 322)', async () => {
  const database = await open(new MemoryKeyValueStore())
  const create = (name: string) =>
    ({ type: 'create', ref: name, parent: { node: ROOT }, name, kind: 'dir' }) as const
  const made = await database.commit([create('x')])
  const alive = (await database.received.node(made.created.get('x')!.node))!
  await database.commit([{ type: 'delete', entry: entryKey(made.created.get('x')!) }])
  await database.commit([create('y')])
  await database.gc.setMembers([database.device])
  await database.gc.acknowledge()
  await database.gc.collect()
  expect(await database.gc.collect()).toBe(1)
  await database.rejoin(HUB, { frontier: NOTHING }, 'relearn')
  await database.syncPoint(HUB, EMPTY_POINT)
  // From somebody who never heard of the deletion, by way of the hub.
  await database.receive(HUB, [alive], { run: 'f'.repeat(16) as RunId, lseq: 1 })
  expect(await names(database)).toEqual(['x', 'y'])
})

class Full extends MemoryKeyValueStore {
  isFull = false
  override async batch(...args: Parameters<MemoryKeyValueStore['batch']>) {
    if (this.isFull) throw new Error('no room')
    return super.batch(...args)
  }
}

test('[GC17] a lost incarnation is known for good, though there was no room for it at first (seed 640619)', async () => {
  const storage = new Full()
  const first = await open(storage)
  await first.commit([{ type: 'create', ref: 'd', parent: { node: ROOT }, name: 'd', kind: 'dir' }])
  const [[rid, seq]] = [...first.frontier] as [[ReplicaId, number]]
  const database = await open(storage)
  // The database went back: the peer met more of the earlier run than it knows.
  const word = { met: new Map([[rid, seq + 3]]), sweep: 'c'.repeat(16) as RunId }
  storage.isFull = true
  await expect(database.noteOpen(HUB, word)).rejects.toThrow('no room')
  expect(database.lost).toEqual(new Map())
  storage.isFull = false
  await database.noteOpen(HUB, word)
  expect(database.lost).toEqual(new Map([[rid, seq]]))
  expect((await open(storage)).lost).toEqual(new Map([[rid, seq]]))
})
