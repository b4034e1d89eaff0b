import {
  type Cursor,
  type DeviceId,
  DOTS_MAX,
  encodeMessage,
  MEMBERS_MAX,
  type Message,
  type NodeEntry,
  type NodeId,
  parseSpaceName,
  REPLICA_IDS_MAX,
  type ReplicaId,
  ROOT,
  type RunId,
  SEQ_MAX,
  VECTOR_ENTRIES_MAX,
  type Vector,
} from '@tidemark/protocol'
import { beforeEach, describe, expect, test } from 'vitest'
import { MemoryKeyValueStore } from '../adapters/memory-store.js'
import { nodePlatform } from '../node/index.js'
import { openingOf } from '../session/opening.js'
import { SpaceDatabase, type SpaceMode } from './space-database.js'

const OURS = 'a'.repeat(16) as DeviceId
const PEER = 'b'.repeat(16) as DeviceId
const NOTHING: Vector = new Map()
const idOf = <T extends string>(n: number): T => n.toString(16).padStart(16, '0') as T
const ids = <T extends string>(from: number, count: number): T[] =>
  Array.from({ length: count }, (_, i) => idOf<T>(from + i))
const vectorOf = (from: number, count: number, seq: number): Vector =>
  new Map(ids<ReplicaId>(from, count).map((rid) => [rid, seq]))
const cursor = (lseq: number): Cursor => ({ run: 'c'.repeat(16) as RunId, lseq })

/** A directory that was written under the id `n` by somebody who had seen `vector`. */
const directory = (n: number, vector: Vector): NodeEntry => ({
  id: n.toString(16).padStart(32, '0') as NodeId,
  kind: 'dir',
  loc: [
    {
      dot: { rid: idOf(n), seq: 1 },
      ctx: { vector, except: [] },
      hlc: { ms: 1, counter: 0 },
      value: { parent: ROOT, name: `${n}`, dead: false },
    },
  ],
  content: [],
  attr: [],
})

let storage: MemoryKeyValueStore
let database: SpaceDatabase

const open = async (mode: SpaceMode = 'direct') => {
  const { clock, random, hasher } = nodePlatform
  const sha256 = (bytes: Uint8Array) => hasher.sha256(bytes)
  const space = parseSpaceName('photos')
  database = await SpaceDatabase.open({ storage, space, device: OURS, mode, clock, random, sha256 })
}
beforeEach(async () => {
  storage = new MemoryKeyValueStore()
  await open()
})

const opening = async (): Promise<Message> => {
  const ends = {
    channel: 1,
    peer: PEER,
    mayWrite: true,
    isHubOverPeer: false,
    isPeerHub: false,
    admits: true,
  }
  return { ...(await openingOf(database, ends)), number: 1, answers: 0 }
}
const make = (name: string) =>
  database.commit([{ type: 'create', ref: name, parent: { node: ROOT }, name, kind: 'dir' }])

test.each(['relay', 'direct'] as const)(
  'every member may delete one directory at once, and each of their frames is taken (%s)',
  async (mode) => {
    await open(mode)
    const made = directory(1, NOTHING)
    await database.receive(PEER, [made], cursor(1))
    for (let n = 2; n < 102; n++) {
      const [{ hlc, value }] = made.loc as [NodeEntry['loc'][number]]
      const dot = { rid: idOf<ReplicaId>(n), seq: 1 }
      const ctx = { vector: vectorOf(1, 1, 1), except: [] }
      const loc = [{ dot, ctx, hlc, value: { ...value, dead: true } }]
      await database.receive(PEER, [{ ...made, loc }], cursor(n))
    }
    expect((await database.received.node(made.id))?.loc).toHaveLength(100)
  },
)

describe('[SE8] what peers say never grows past what this side can say itself', () => {
  test('more replica ids than that are not met, and nothing of the frame is taken', async () => {
    await database.receive(PEER, [directory(1, vectorOf(2, REPLICA_IDS_MAX - 1, SEQ_MAX))], cursor(1))
    const frame = [directory(90_000, NOTHING)]
    await expect(database.receive(PEER, frame, cursor(2))).rejects.toMatchObject({ code: 'LIMIT' })
    const point = { cursor: cursor(2), met: NOTHING, lost: NOTHING, floor: NOTHING }
    await expect(
      database.syncPoint(PEER, { ...point, frontier: vectorOf(90_000, 1, 1) }),
    ).rejects.toMatchObject({ code: 'LIMIT' })
    expect(database.met.size).toBe(REPLICA_IDS_MAX)
    expect(await database.peer(PEER)).toMatchObject({ cursor: cursor(1), synced: false })
  })

  test('own ids have room beside them, and everything fits into one OPEN', async () => {
    const all = vectorOf(1, REPLICA_IDS_MAX, SEQ_MAX)
    const point = { cursor: cursor(1), frontier: all, met: all, lost: NOTHING, floor: all }
    await database.syncPoint(PEER, point)
    await database.gc.setMembers([OURS, PEER])
    await database.gc.acknowledge()
    await database.gc.takeAcks([{ device: PEER, epoch: 1, applied: all, stable: all }])
    for (const name of ['one', 'two']) {
      await make(name)
      await open()
    }
    expect(database.met.size).toBe(REPLICA_IDS_MAX + 2)
    await database.gc.acknowledge()
    const applied = database.frontier
    const message = { ...(await opening()), applied } as Message
    expect(() => encodeMessage(message)).not.toThrow()
  })

  test('acknowledgements name no more ids than a vector, however many come', async () => {
    await database.gc.setMembers([OURS, PEER])
    const ack = (from: number) => {
      const applied = vectorOf(from, VECTOR_ENTRIES_MAX, 1)
      return database.gc.takeAcks([{ device: PEER, epoch: 1, applied, stable: NOTHING }])
    }
    await ack(1)
    await expect(ack(2)).rejects.toMatchObject({ code: 'LIMIT' })
    expect((await database.gc.ackOf(PEER))?.applied.size).toBe(VECTOR_ENTRIES_MAX)
  })

  test('members are no more than a message can name, however they come', async () => {
    await database.gc.admit(PEER)
    const list = { epoch: 5, devices: ids<DeviceId>(1, MEMBERS_MAX) }
    await expect(database.gc.outgrow(list, false)).rejects.toMatchObject({ code: 'LIMIT' })
    expect(database.gc.members.devices).toHaveLength(2)
    await database.gc.takeMembers(list)
    const other = { ...list, devices: ids<DeviceId>(2, MEMBERS_MAX) }
    await expect(database.gc.takeMembers(other)).rejects.toMatchObject({ code: 'LIMIT' })
    await expect(database.gc.setMembers([...list.devices, OURS])).rejects.toMatchObject({ code: 'LIMIT' })
    expect(database.gc.members.devices).toEqual(list.devices)
  })

  test('of ids that a peer calls lost those count that were met, and others while there is room', async () => {
    const lose = async (from: number) =>
      database.syncPoint(PEER, {
        cursor: cursor(1),
        frontier: NOTHING,
        met: NOTHING,
        floor: NOTHING,
        lost: vectorOf(from, DOTS_MAX, 0),
      })
    await lose(1)
    await lose(100_000)
    expect(database.lost.size).toBe(DOTS_MAX)
    await database.receive(PEER, [directory(1, vectorOf(200_000, DOTS_MAX, 1))], cursor(1))
    await lose(200_000)
    expect(database.lost.size).toBe(2 * DOTS_MAX)
  })
})
