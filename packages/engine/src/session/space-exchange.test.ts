import {
  type ChunkId,
  type DeviceId,
  DOTS_MAX,
  EPOCHS_AHEAD_MAX,
  IDS_PER_REQUEST_MAX,
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
import { expect, test, vi } from 'vitest'
import { MemoryKeyValueStore } from '../adapters/memory-store.js'
import { entryKey } from '../core/view-entry.js'
import { SpaceDatabase } from '../database/space-database.js'
import { nodePlatform } from '../node/index.js'
import { ChunkCache } from '../transfer/chunk-cache.js'
import { SpaceExchange } from './space-exchange.js'
import type { SpaceExchangeOptions } from './space-exchange-options.js'

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

async function exchangeWorld(
  options: Partial<
    Pick<
      SpaceExchangeOptions,
      'isHub' | 'isPeerHub' | 'refuse' | 'onRefused' | 'onWant' | 'entriesPerFrameMax'
    >
  > = {},
) {
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
  const hooks: { sending?: (message: Message) => Promise<void> } = {}
  const exchange = new SpaceExchange({
    ...options,
    database,
    channel: 1,
    send: async (message) => {
      sent.push(message)
      await hooks.sending?.(message)
    },
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
  const syncPoint = (lseq: number, frontier: Vector, floor = NOTHING) =>
    exchange.receive({
      type: 'sync-point',
      channel: 1,
      run: RUN,
      lseq,
      frontier,
      met: frontier,
      lost: [],
      floor,
    })
  const entries = () =>
    exchange.receive({ type: 'entries', channel: 1, run: RUN, lseq: 1, entries: [directory], inline: [] })
  return { database, exchange, hooks, sent, open, syncPoint, entries }
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

test('[EX6] what is left of a round is not sent when this side begins anew in the middle of it (seed 1881)', async () => {
  const { database, hooks, sent, open } = await exchangeWorld({ entriesPerFrameMax: 1 })
  await database.commit(
    ['d', 'e', 'f'].map((name) => ({ type: 'create', ref: name, parent: { node: ROOT }, name, kind: 'dir' })),
  )
  hooks.sending = async ({ type }) => {
    if (type === 'entries') await database.rejoin(OTHER, { frontier: NOTHING }, 'forget')
  }
  await open(false)
  await expect.poll(() => sent.map(({ type }) => type)).toContain('open')
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(sent.map(({ type }) => type)).toEqual(['entries', 'open'])
})

test('[GC15] who holds what no sync point claimed yet begins anew when the first that does tells of a collection (seed 2383)', async () => {
  const { database, sent, open, syncPoint, entries } = await exchangeWorld({ isPeerHub: true })
  await open(false)
  await entries()
  await syncPoint(1, NOTHING)
  expect(await database.received.node(directory.id)).toBeDefined()
  const all = new Map([[RID, 2]])
  await syncPoint(1, all, all)
  expect(await database.received.node(directory.id)).toBeUndefined()
  await expect.poll(() => sent.at(-1)).toMatchObject({ type: 'open', anew: true })
})

test('[GC15] who is past all that was collected does not begin anew for an entry whose round never ends', async () => {
  const { database, open, syncPoint, entries } = await exchangeWorld({ isPeerHub: true })
  await database.commit([{ type: 'create', ref: 'd', parent: { node: ROOT }, name: 'mine', kind: 'dir' }])
  await open(false)
  await entries()
  const own = new Map(database.frontier)
  await syncPoint(1, own)
  await syncPoint(1, own, own)
  expect(database.rejoins).toBe(0)
})

test('[GC15] nobody begins anew for the sake of a false floor', async () => {
  const { database, open, syncPoint, entries } = await exchangeWorld({ isPeerHub: true })
  await open(false)
  await entries()
  const refused = syncPoint(1, NOTHING, new Map([[RID, 7]]))
  await expect(refused).rejects.toMatchObject({ code: 'FRONTIER_UNFOUNDED' })
  expect(database.rejoins).toBe(0)
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

test('[HB20] a hub that has refused an entry says so, takes nothing more, and stands where it stood until an OPEN', async () => {
  let isRefused = true
  const refuse = () => (isRefused ? { code: 'NO', message: 'not this one' } : undefined)
  const { database, sent, open, syncPoint, entries } = await exchangeWorld({ isHub: true, refuse })
  await open(false)
  await entries()
  const refusals = [{ node: directory.id, dots: [{ rid: RID, seq: 1 }], code: 'NO', message: 'not this one' }]
  expect(sent.find(({ type }) => type === 'reject')).toEqual({ type: 'reject', channel: 1, refusals })
  isRefused = false
  await entries()
  await syncPoint(1, new Map([[RID, 1]]))
  expect(await database.received.node(directory.id)).toBeUndefined()
  expect([database.frontier.size, (await database.peer(PEER)).cursor]).toEqual([0, undefined])
  sent.length = 0
  await open(false)
  expect(sent[0]).toMatchObject({ type: 'open' })
  await entries()
  expect(await database.received.node(directory.id)).toEqual(directory)
})

test('[HB20] what a hub refused is taken back, said, and not sent again', async () => {
  const refused: string[] = []
  const { database, exchange, sent, open } = await exchangeWorld({
    isPeerHub: true,
    onRefused: (all) => refused.push(...all.map(({ name, code }) => `${name}: ${code}`)),
  })
  await open(false)
  const made = await database.commit([
    { type: 'create', ref: 'd', parent: { node: ROOT }, name: 'd', kind: 'dir' },
  ])
  await expect.poll(() => sent.filter(({ type }) => type === 'entries').length).toBe(1)
  const { node } = made.created.get('d')!
  const { loc } = (await database.received.node(node))!
  sent.length = 0
  const reject = { node, dots: loc.map(({ dot }) => dot), code: 'NO', message: 'not this one' }
  await exchange.receive({ type: 'reject', channel: 1, refusals: [reject] })
  expect(refused).toEqual(['d: NO'])
  expect((await database.received.lookup(ROOT, 'd')) === undefined).toBe(true)
  expect(sent.map(({ type }) => type)).toEqual(['open'])
  await open(false)
  await expect.poll(() => sent.flatMap((m) => (m.type === 'entries' ? m.entries : []))).toHaveLength(1)
  const [entry] = sent.flatMap((message) => (message.type === 'entries' ? message.entries : []))
  expect(entry!.loc.map(({ value }) => value.dead)).toEqual([true])
})

test('[HB20] nobody but a hub refuses, and no hub for ever', async () => {
  const { exchange: ofReplica, open } = await exchangeWorld()
  await open(false)
  await expect(ofReplica.receive({ type: 'reject', channel: 1, refusals: [] })).rejects.toMatchObject({
    code: 'UNEXPECTED_MESSAGE',
  })
  const { database, exchange, open: openHub } = await exchangeWorld({ isPeerHub: true })
  await database.commit([{ type: 'create', ref: 'd', parent: { node: ROOT }, name: 'd', kind: 'dir' }])
  const entry = (await database.received.lookup(ROOT, 'd'))!
  const refuseAll = async () => {
    await openHub(false)
    const { loc } = (await database.received.node(entry.node))!
    const dots = loc.map(({ dot }) => dot)
    const refusals = [{ node: entry.node, dots, code: 'NO', message: 'never' }]
    await exchange.receive({ type: 'reject', channel: 1, refusals })
  }
  const forEver = async () => {
    for (let i = 0; i < 100; i++) await refuseAll()
  }
  await expect(forEver()).rejects.toMatchObject({ code: 'BAD_REJECT' })
})

test('[HB20] to a hub nothing goes before the directories above it, wherever they are in the log', async () => {
  const { database, sent, open } = await exchangeWorld({ isPeerHub: true, entriesPerFrameMax: 1 })
  await database.commit([
    { type: 'create', ref: 'd', parent: { node: ROOT }, name: 'd', kind: 'dir' },
    { type: 'create', ref: 'e', parent: { ref: 'd' }, name: 'e', kind: 'dir' },
    { type: 'create', ref: 'f', parent: { ref: 'e' }, name: 'f', kind: 'dir' },
  ])
  const d = (await database.received.lookup(ROOT, 'd'))!
  const e = (await database.received.lookup(d.node, 'e'))!
  await database.commit([{ type: 'move', entry: entryKey(e), parent: { node: d.node }, name: 'e2' }])
  await database.commit([{ type: 'move', entry: entryKey(d), parent: { node: ROOT }, name: 'd2' }])
  await open(false)
  await expect.poll(() => sent.some(({ type }) => type === 'sync-point')).toBe(true)
  const names = sent.flatMap((m) =>
    m.type === 'entries' ? m.entries.map(({ loc }) => loc[0]!.value.name) : [],
  )
  expect(names).toEqual(['d2', 'e2', 'f'])
})

test('[HB20] what takes back goes in frames of its own', async () => {
  const { database, exchange, sent, open } = await exchangeWorld({ isPeerHub: true })
  await open(false)
  const create = (name: string) =>
    database.commit([{ type: 'create', ref: 'd', parent: { node: ROOT }, name, kind: 'dir' }])
  const { node } = (await create('d')).created.get('d')!
  const { loc } = (await database.received.node(node))!
  const reject = { node, dots: loc.map(({ dot }) => dot), code: 'NO', message: 'not this one' }
  await exchange.receive({ type: 'reject', channel: 1, refusals: [reject] })
  await create('e')
  sent.length = 0
  await open(false)
  await expect.poll(() => sent.some(({ type }) => type === 'sync-point')).toBe(true)
  const frames = sent.flatMap((m) =>
    m.type === 'entries' ? [m.entries.map(({ loc }) => loc[0]!.value.name)] : [],
  )
  expect(frames).toEqual([['d'], ['e']])
})

test('[BG22] what a peer is asked for goes in messages that may be as long', async () => {
  const { exchange, sent, open } = await exchangeWorld()
  await open(false)
  const root = 'b'.repeat(64) as ChunkId
  await exchange.want(new Array(IDS_PER_REQUEST_MAX + 1).fill({ root, height: 0, size: 5 }))
  const counts = sent.flatMap((m) => (m.type === 'want' ? [m.versions.length] : []))
  expect(counts).toEqual([IDS_PER_REQUEST_MAX, 1])
})

test('bytes are asked for by a hub only', async () => {
  const asked: (readonly unknown[])[] = []
  const onWant = async (versions: readonly unknown[]) => void asked.push(versions)
  const want = {
    type: 'want',
    channel: 1,
    versions: [{ root: 'b'.repeat(64) as ChunkId, height: 0, size: 5 }],
  } as const
  for (const isHub of [false, true]) {
    const { exchange, open } = await exchangeWorld({ isHub, onWant })
    await open(false)
    await expect(exchange.receive(want)).rejects.toMatchObject({ code: 'UNEXPECTED_MESSAGE' })
  }
  const { exchange, open } = await exchangeWorld({ isPeerHub: true, onWant })
  await open(false)
  await exchange.receive(want)
  expect(asked).toEqual([want.versions])
})

test('[SE8] more that is lost than a message names goes in several sync points', async () => {
  const { database, sent, open } = await exchangeWorld()
  const lose = (from: number, count: number) => {
    const rids = Array.from({ length: count }, (_, i) => (from + i).toString(16).padStart(16, '0'))
    const lost = new Map(rids.map((rid) => [rid as ReplicaId, 0]))
    const cursor = { run: RUN, lseq: 0 }
    return database.syncPoint(OTHER, { cursor, frontier: NOTHING, met: NOTHING, floor: NOTHING, lost })
  }
  await lose(1, DOTS_MAX - 1)
  await lose(DOTS_MAX, DOTS_MAX)
  await open(false)
  const lostIn = () => sent.flatMap((m) => (m.type === 'sync-point' ? [m.lost.length] : []))
  await expect.poll(lostIn).toEqual([DOTS_MAX, DOTS_MAX - 1])
})

test('[SE8] a device that may only read keeps no note of what it was sent', async () => {
  const { database, exchange, open } = await exchangeWorld({ isPeerHub: true })
  await open(true)
  const add = vi.spyOn(Set.prototype, 'add')
  try {
    for (let seq = 1; seq <= 5; seq++) {
      const [{ hlc, value }] = directory.loc as [NodeEntry['loc'][number]]
      const ctx = { vector: new Map(seq > 1 ? [[RID, seq - 1]] : []), except: [] }
      const renamed = { dot: { rid: RID, seq }, ctx, hlc, value: { ...value, name: `d${seq}` } }
      const entries = [{ ...directory, loc: [renamed] }]
      await exchange.receive({ type: 'entries', channel: 1, run: RUN, lseq: seq, entries, inline: [] })
    }
    expect(database.lseq).toBe(5)
    expect(add.mock.calls.filter(([position]) => typeof position === 'number')).toEqual([])
  } finally {
    add.mockRestore()
  }
})
