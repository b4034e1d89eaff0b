import {
  type DeviceId,
  type Message,
  NO_SWEEP,
  parseSpaceName,
  type ReplicaId,
  ROOT,
  type RunId,
  type StateDigest,
  type Vector,
} from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { MemoryKeyValueStore } from '../adapters/memory-store.js'
import { entryKey } from '../core/view-entry.js'
import { SpaceDatabase } from '../database/space-database.js'
import { nodePlatform } from '../node/index.js'
import { ChunkCache } from '../transfer/chunk-cache.js'
import { SpaceExchange } from './space-exchange.js'

const PEER = 'd'.repeat(16) as DeviceId
const ANN = 'c'.repeat(16) as DeviceId
const RID = 'e'.repeat(16) as ReplicaId
const NOTHING: Vector = new Map()
const { clock, random, hasher } = nodePlatform

/** Of the same writes, something else is shown. */
const falseDigest = ({ frontier }: SpaceDatabase) =>
  ({ type: 'digest', channel: 1, frontier, digest: '0'.repeat(64) as StateDigest }) as const

async function hubWith(mayWrite: boolean, slow: (message: Message) => Promise<void> = async () => undefined) {
  const database = await SpaceDatabase.open({
    storage: new MemoryKeyValueStore(),
    space: parseSpaceName('photos'),
    device: 'a'.repeat(16) as DeviceId,
    mode: 'direct',
    clock,
    random,
    sha256: (bytes) => hasher.sha256(bytes),
  })
  await database.commit([{ type: 'create', ref: 'd', parent: { node: ROOT }, name: 'd', kind: 'dir' }])
  const sent: Message[] = []
  const exchange = new SpaceExchange({
    isHub: true,
    admits: true,
    database,
    channel: 1,
    send: async (message) => {
      sent.push(message)
      await slow(message)
    },
    entriesPerFrameMax: 1,
    fail: (error) => {
      throw error
    },
    peer: PEER,
    mayWrite,
    cache: new ChunkCache(),
    hasher,
    onChange: () => undefined,
  })
  await exchange.start()
  let number = 0
  const open = (more: object = {}) =>
    exchange.receive({
      type: 'open',
      space: database.space,
      channel: 1,
      frontier: NOTHING,
      remembered: NOTHING,
      met: NOTHING,
      own: NOTHING,
      floor: NOTHING,
      acked: NOTHING,
      number: ++number,
      answers: 0,
      sweep: NO_SWEEP,
      ...more,
    } as never)
  return { database, exchange, sent, open }
}

test('[AC2] a reader does not end the acknowledgements of those that write', async () => {
  const { database, open } = await hubWith(false)
  const { epoch } = await database.gc.setMembers([ANN])
  for (let i = 0; i < 3; i++) await open({ remembered: new Map([[RID, 7]]) })
  await open({ anew: true })
  expect(database.gc.members.epoch).toBe(epoch)
})

test('[AC2] a reader does not make a hub read and send everything', async () => {
  const { database, exchange, sent, open } = await hubWith(false)
  await open()
  await new Promise((resolve) => setTimeout(resolve, 20))
  sent.length = 0
  const digest = falseDigest(database)
  await expect(exchange.receive(digest)).rejects.toMatchObject({ code: 'FORBIDDEN' })
  expect(sent.map(({ type }) => type)).toEqual([])
})

test('[EX12] a round to repair does not run on across an OPEN', async () => {
  const { database, exchange, sent, open } = await hubWith(true, async (message) => {
    if (message.type === 'entries') await new Promise((resolve) => setTimeout(resolve, 10))
  })
  for (const name of ['e', 'f', 'g'])
    await database.commit([{ type: 'create', ref: 'd', parent: { node: ROOT }, name, kind: 'dir' }])
  await open()
  await new Promise((resolve) => setTimeout(resolve, 100))
  const digest = falseDigest(database)
  await exchange.receive(digest)
  sent.length = 0
  await exchange.receive(digest)
  await open({ anew: true })
  await new Promise((resolve) => setTimeout(resolve, 200))
  const types = sent.map(({ type }) => type)
  // The device takes what is behind the answer to its OPEN, up to the first sync point: then it claims all.
  const taken = sent.slice(types.lastIndexOf('open'))
  const first = taken.slice(
    0,
    taken.findIndex(({ type }) => type === 'sync-point'),
  )
  const count = first.reduce(
    (sum, message) => sum + (message.type === 'entries' ? message.entries.length : 0),
    0,
  )
  expect(count).toBe(4)
})

test('[AC2] a reader does not declare the writes of others lost', async () => {
  const { database, open } = await hubWith(false)
  const directory = {
    id: '1'.repeat(32),
    kind: 'dir',
    content: [],
    attr: [],
    loc: [
      {
        dot: { rid: RID, seq: 1 },
        ctx: { vector: new Map(), except: [] },
        hlc: { ms: 1, counter: 0 },
        value: { parent: ROOT, name: 'x', dead: false },
      },
    ],
  }
  await database.receive(ANN, [directory as never], { run: 'f'.repeat(16) as never, lseq: 1 })
  await open({ own: new Map([[RID, 1]]) })
  await open({ own: new Map() })
  expect([...database.lost.keys()]).toEqual([])
})

test('[EX12] what was collected since a repair began does not come back with a frame of it', async () => {
  const { database, exchange, open } = await hubWith(true)
  const made = await database.commit([
    { type: 'create', ref: 'f', parent: { node: ROOT }, name: 'f', kind: 'dir' },
  ])
  const alive = (await database.received.node(made.created.get('f')!.node))!
  await open()
  const digest = falseDigest(database)
  await exchange.receive(digest)
  await exchange.receive(digest)
  await database.commit([{ type: 'delete', entry: entryKey(made.created.get('f')!) }])
  const frame = {
    type: 'entries',
    channel: 1,
    run: 'f'.repeat(16) as RunId,
    entries: [alive],
    inline: [],
    repair: true,
  } as const
  for (let round = 0; round < 2; round++) {
    await database.gc.acknowledge()
    const { epoch } = database.gc.members
    const [applied, stable] = [database.frontier, round === 0 ? NOTHING : database.frontier]
    await database.gc.takeAcks([{ device: PEER, epoch, applied, stable }])
    await database.gc.collect()
  }
  expect(await database.received.node(alive.id)).toBeUndefined()
  await exchange.receive({ ...frame, lseq: 1 })
  expect(await database.received.node(alive.id)).toBeUndefined()
})
