import {
  type DeviceId,
  EPOCHS_AHEAD_MAX,
  type Message,
  NO_SWEEP,
  type NodeEntry,
  type NodeId,
  parseSpaceName,
  type ReplicaId,
  ROOT,
  type RunId,
  type Vector,
} from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { MemoryKeyValueStore } from '../adapters/memory-store.js'
import { SpaceDatabase } from '../database/space-database.js'
import { nodePlatform } from '../node/index.js'
import { ChunkCache } from '../transfer/chunk-cache.js'
import { SpaceExchange } from './space-exchange.js'

const RID = 'e'.repeat(16) as ReplicaId
const RUN = 'f'.repeat(16) as RunId
const PEER = 'd'.repeat(16) as DeviceId
const OTHER = 'c'.repeat(16) as DeviceId
const NOTHING: Vector = new Map()

const directory: NodeEntry = {
  id: '1'.repeat(32) as NodeId,
  kind: 'dir',
  loc: [
    {
      dot: { rid: RID, seq: 1 },
      ctx: { vector: new Map(), except: [] },
      hlc: { ms: 1, counter: 0 },
      value: { parent: ROOT, name: 'd', dead: false },
    },
  ],
  content: [],
  attr: [],
}

async function exchangeWorld(options: { isHub?: boolean } = {}) {
  const { clock, random, hasher } = nodePlatform
  const database = await SpaceDatabase.open({
    storage: new MemoryKeyValueStore(),
    space: parseSpaceName('photos'),
    device: 'a'.repeat(16) as DeviceId,
    mode: 'direct',
    clock,
    random,
    sha256: (bytes) => hasher.sha256(bytes),
  })
  const sent: Message[] = []
  const exchange = new SpaceExchange({
    ...options,
    database,
    channel: 1,
    send: async (message) => void sent.push(message),
    fail: (error) => {
      throw error
    },
    peer: PEER,
    mayWrite: true,
    cache: new ChunkCache(),
    hasher,
    onChange: () => undefined,
  })
  await exchange.start()
  sent.length = 0
  const open = (readOnly: boolean) =>
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
      number: 1,
      answers: 0,
      sweep: NO_SWEEP,
      ...(readOnly ? { readOnly } : {}),
    })
  const syncPoint = (lseq: number, frontier: Vector) =>
    exchange.receive({
      type: 'sync-point',
      channel: 1,
      run: RUN,
      lseq,
      frontier,
      met: frontier,
      lost: [],
      floor: NOTHING,
    })
  const entries = () =>
    exchange.receive({ type: 'entries', channel: 1, run: RUN, lseq: 1, entries: [directory], inline: [] })
  return { database, exchange, sent, open, syncPoint, entries }
}

test('[FB13] between entries and the sync point behind them the ends are not equal', async () => {
  const { exchange, open, syncPoint, entries } = await exchangeWorld()
  await open(false)
  await syncPoint(0, NOTHING)
  await expect.poll(() => exchange.isEqual).toBe(true)
  await entries()
  await expect.poll(() => exchange.isEqual).toBe(false)
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(exchange.isEqual).toBe(false)
  await syncPoint(1, new Map([[RID, 1]]))
  await expect.poll(() => exchange.isEqual).toBe(true)
})

test('[AC2] to a peer that takes nothing neither entries nor a sync point are sent, and what waits is known', async () => {
  const { database, exchange, sent, open, syncPoint } = await exchangeWorld()
  await open(true)
  await syncPoint(0, NOTHING)
  await database.commit([{ type: 'create', ref: 'd', parent: { node: ROOT }, name: 'd', kind: 'dir' }])
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(sent).toEqual([])
  expect(exchange.isReadOnly && exchange.hasUnsent).toBe(true)
  await expect.poll(() => exchange.isEqual).toBe(true)
})

test('[GC15] to a hub nobody speaks for others, and nobody uses up the epochs', async () => {
  const { database, exchange, open } = await exchangeWorld({ isHub: true })
  const { epoch } = await database.gc.setMembers([PEER, OTHER])
  await open(false)
  const ack = (device: DeviceId) => ({ device, epoch, applied: NOTHING, stable: NOTHING })
  await exchange.receive({ type: 'acks', channel: 1, acks: [ack(PEER), ack(OTHER)] })
  expect((await database.gc.acks()).map(({ device }) => device)).toEqual([PEER])
  const members = (ahead: number) =>
    exchange.receive({ type: 'members', channel: 1, epoch: epoch + ahead, devices: [PEER] })
  await members(EPOCHS_AHEAD_MAX)
  // A hub that was restored takes the number from it, and nobody's place away.
  expect(database.gc.members).toEqual({ epoch: epoch + EPOCHS_AHEAD_MAX + 1, devices: [OTHER, PEER] })
  await expect(members(2 * EPOCHS_AHEAD_MAX + 2)).rejects.toMatchObject({ code: 'LIMIT' })
})

test('[GC15] what a device acknowledged before it lost its writes counts no more, though it does not say so (seed 1870)', async () => {
  const { database, open } = await exchangeWorld({ isHub: true })
  const { epoch } = await database.gc.setMembers([PEER])
  const applied = new Map([[RID, 4]])
  await database.gc.takeAcks([{ device: PEER, epoch, applied, stable: NOTHING }])
  await open(false)
  expect(await database.gc.ackOf(PEER)).toBeUndefined()
  expect(database.gc.members).toEqual({ epoch: epoch + 1, devices: [PEER] })
})
