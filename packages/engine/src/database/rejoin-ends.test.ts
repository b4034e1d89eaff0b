import { type ChunkId, type DeviceId, parseSpaceName, ROOT, type RunId } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { MemoryKeyValueStore } from '../adapters/memory-store.js'
import { entryKey } from '../core/view-entry.js'
import { nodePlatform } from '../node/index.js'
import { SpaceDatabase } from './space-database.js'

const HUB = 'b'.repeat(16) as DeviceId
const NEW_HUB = 'c'.repeat(16) as DeviceId
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
