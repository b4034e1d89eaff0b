import {
  type DeviceId,
  type NodeEntry,
  type NodeId,
  parseSpaceName,
  type ReplicaId,
  ROOT,
  type RunId,
  type Vector,
} from '@tidemark/protocol'
import { beforeEach, expect, test } from 'vitest'
import { MemoryKeyValueStore } from '../adapters/memory-store.js'
import { nodePlatform } from '../node/index.js'
import { SpaceDatabase } from './space-database.js'

const ANN = 'b'.repeat(16) as DeviceId
const BOB = 'd'.repeat(16) as DeviceId
const NOTHING: Vector = new Map()
const cursor = { run: 'c'.repeat(16) as RunId, lseq: 1 }
const idOf = (n: number): ReplicaId => n.toString(16).padStart(16, '0') as ReplicaId

let storage: MemoryKeyValueStore
let database: SpaceDatabase

const open = () =>
  SpaceDatabase.open({
    storage,
    space: parseSpaceName('photos'),
    device: 'a'.repeat(16) as DeviceId,
    mode: 'relay',
    clock: nodePlatform.clock,
    random: nodePlatform.random,
    sha256: (bytes) => nodePlatform.hasher.sha256(bytes),
  })
beforeEach(async () => {
  storage = new MemoryKeyValueStore()
  database = await open()
})

/** Ann says OPEN, and names as many ids of hers, from that one on. */
const annNames = (from: number, count: number) => {
  const own = new Map(Array.from({ length: count }, (_, i) => [idOf(from + i), 0]))
  return database.noteOpen(ANN, { own, met: NOTHING, sweep: 'e'.repeat(16) as RunId })
}

/** A round of Bob that brings a write under that id, and does not say that it has all of it. */
const bobBrings = async (n: number) => {
  const directory: NodeEntry = {
    id: n.toString(16).padStart(32, '0') as NodeId,
    kind: 'dir',
    loc: [
      {
        dot: { rid: idOf(n), seq: 1 },
        ctx: { vector: NOTHING, except: [] },
        hlc: { ms: 1, counter: 0 },
        value: { parent: ROOT, name: `${n}`, dead: false },
      },
    ],
    content: [],
    attr: [],
  }
  await database.receive(BOB, [directory], cursor)
  await database.syncPoint(BOB, { cursor, frontier: NOTHING, met: NOTHING, lost: NOTHING, floor: NOTHING })
}

test('[IN19] an id that its device no longer names is lost once others bring a write of it, also after a restart', async () => {
  await annNames(1, 2)
  await annNames(3, 1)
  expect(database.lost).toEqual(NOTHING)
  await bobBrings(1)
  expect([...database.lost.keys()]).toEqual([idOf(1)])
  database = await open()
  await bobBrings(2)
  expect([...database.lost.keys()]).toEqual([idOf(1), idOf(2)])
  expect(database.isWhole).toBe(true)
})

test('[IN19] an id of which a write was met is lost as soon as its device no longer names it', async () => {
  await annNames(1, 1)
  await bobBrings(1)
  expect(database.lost).toEqual(NOTHING)
  await annNames(2, 1)
  expect([...database.lost.keys()]).toEqual([idOf(1)])
})

test('[IN19] an id that its device names again is not lost', async () => {
  await annNames(1, 1)
  await annNames(2, 1)
  await annNames(1, 2)
  await bobBrings(1)
  expect(database.lost).toEqual(NOTHING)
})

test('[SE8] of invented ids that a device names and names no more no more are kept than the last ones', async () => {
  for (let from = 1; from < 3_000; from += 256) await annNames(from, 256)
  // One of the first, and one of those that it named the time before last.
  await bobBrings(1)
  await bobBrings(2_561)
  expect([...database.lost.keys()]).toEqual([idOf(2_561)])
})
