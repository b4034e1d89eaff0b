import {
  type ChunkId,
  type DeviceId,
  type Message,
  NO_SWEEP,
  type NodeEntry,
  type NodeId,
  type Open,
  parseSpaceName,
  type ReplicaId,
  ROOT,
  type RunId,
  type Vector,
} from '@tidemark/protocol'
import { expect, test, vi } from 'vitest'
import { MemoryKeyValueStore } from '../adapters/memory-store.js'
import { SpaceDatabase } from '../database/space-database.js'
import { nodePlatform } from '../node/index.js'
import { ChunkCache } from '../transfer/chunk-cache.js'
import { SpaceExchange } from './space-exchange.js'

const HUB = 'b'.repeat(16) as DeviceId
const PEER = 'd'.repeat(16) as DeviceId
const RID = 'e'.repeat(16) as ReplicaId
const RUN = 'f'.repeat(16) as RunId
const NOTHING: Vector = new Map()
const directory: NodeEntry = {
  id: '1'.repeat(32) as NodeId,
  kind: 'dir',
  loc: [
    {
      dot: { rid: RID, seq: 1 },
      ctx: { vector: new Map(), except: [] },
      hlc: { ms: 1, counter: 0 },
      value: { parent: ROOT, name: 'from the other device', dead: false },
    },
  ],
  content: [],
  attr: [],
}
const entries = { type: 'entries', channel: 1, run: RUN, lseq: 1, entries: [directory], inline: [] } as const
const syncPointAt = (lseq: number, frontier: Vector) =>
  ({
    type: 'sync-point',
    channel: 1,
    run: RUN,
    lseq,
    frontier,
    met: frontier,
    lost: [],
    floor: NOTHING,
  }) as const

class Watched extends MemoryKeyValueStore {
  /** Called once, when a beginning anew has its turn to write. */
  onRejoin: (() => void) | undefined
  /** Keys with this in them do not fit. */
  full: string | undefined
  override async batch(...args: Parameters<MemoryKeyValueStore['batch']>) {
    const { full } = this
    if (full !== undefined && args[0].some(({ key }) => key.includes(full))) throw new Error('no room')
    if (args[0].some(({ key }) => key.endsWith('z/state'))) {
      const run = this.onRejoin
      this.onRejoin = undefined
      run?.()
    }
    return super.batch(...args)
  }
}

/** A device with a file, linked to a hub and to another device that holds the same. */
async function twoLinks() {
  const { clock, random, hasher } = nodePlatform
  const storage = new Watched()
  const database = await SpaceDatabase.open({
    storage,
    space: parseSpaceName('photos'),
    device: 'a'.repeat(16) as DeviceId,
    mode: 'direct',
    clock,
    random,
    sha256: (bytes) => hasher.sha256(bytes),
  })
  const content = { root: '1'.repeat(64) as ChunkId, height: 0, size: 1, mtimeMs: 1 }
  await database.commit([
    { type: 'create', ref: 'f', parent: { node: ROOT }, name: 'f', kind: 'file', content },
  ])
  const own = database.frontier
  const link = async (peer: DeviceId, isPeerHub: boolean) => {
    const sent: Message[] = []
    const hooks: { sending?: (message: Message) => Promise<void> } = {}
    const exchange: SpaceExchange = new SpaceExchange({
      database,
      channel: 1,
      send: async (message) => {
        sent.push(message)
        await hooks.sending?.(message)
      },
      fail: () => exchange.closed(),
      peer,
      isPeerHub,
      mayWrite: true,
      cache: new ChunkCache(),
      hasher,
      onChange: () => undefined,
    })
    const open = (more: Partial<Open>) =>
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
        answers: 1,
        sweep: NO_SWEEP,
        ...more,
      })
    const saidAnew = async () => {
      await expect.poll(() => sent.at(-1)).toMatchObject({ type: 'open', anew: true })
      return sent.at(-1) as Open
    }
    return { exchange, sent, hooks, open, saidAnew }
  }
  const [hub, other] = [await link(HUB, true), await link(PEER, false)]
  await hub.exchange.start()
  return { database, storage, own, link, hub, other }
}

/** The database went back to a backup: the hub holds an acknowledgement of more than there is. */
const wentBack = (frontier: Vector): Partial<Open> => ({ frontier, acked: frontier })

test('[EX6] a sync point of another peer that waits while this side begins anew claims nothing', async () => {
  const { database, storage, own, hub, other } = await twoLinks()
  await other.exchange.start()
  await other.open({ frontier: own })
  await other.exchange.receive(entries)
  const theirs = new Map([...own, [RID, 1] as const])
  let point: Promise<void> | undefined
  storage.onRejoin = () => {
    point = other.exchange.receive(syncPointAt(1, theirs))
  }
  await hub.open(wentBack(theirs))
  await point
  // The hub leaves out what is claimed to it.
  expect((await hub.saidAnew()).frontier).toEqual(NOTHING)
  expect(database.frontier).toEqual(NOTHING)
  expect((await database.peer(PEER)).cursor).toBeUndefined()
  expect(other.exchange.isLive).toBe(false)
})

test('[EX6] entries of another peer that wait while this side begins anew are not resumed behind', async () => {
  const { database, storage, own, hub, other } = await twoLinks()
  await other.exchange.start()
  await other.open({ frontier: own })
  const theirs = new Map([...own, [RID, 1] as const])
  let frame: Promise<void> | undefined
  storage.onRejoin = () => {
    frame = other.exchange.receive(entries)
  }
  await hub.open(wentBack(theirs))
  await frame
  expect((await other.saidAnew()).cursor).toBeUndefined()
  expect((await database.peer(PEER)).cursor).toBeUndefined()
  expect(await database.received.node(directory.id)).toBeUndefined()
})

test('[EX6] an OPEN of another peer that waits while this side begins anew is no answer to that', async () => {
  const { database, own, hub, other } = await twoLinks()
  await other.exchange.start()
  const theirs = new Map([...own, [RID, 1] as const])
  // Its connection takes nothing at the moment.
  let takesMore = (): void => undefined
  const full = new Promise<void>((resolve) => {
    takesMore = resolve
  })
  other.hooks.sending = () => full
  const opening = other.open({ frontier: own, anew: true })
  await hub.open(wentBack(theirs))
  takesMore()
  await opening
  await other.saidAnew()
  await other.exchange.receive(entries)
  await other.exchange.receive(syncPointAt(1, theirs))
  expect(database.frontier).toEqual(NOTHING)
  expect(await database.received.node(directory.id)).toBeUndefined()
})

test('[EX6] what an OPEN of another peer says is not judged by what was said before this side began anew', async () => {
  const { database, own, hub, other } = await twoLinks()
  await other.exchange.start()
  const theirs = new Map([...own, [RID, 1] as const])
  const restoreIfBaseLost = database.restoreIfBaseLost.bind(database)
  vi.spyOn(database, 'restoreIfBaseLost').mockImplementationOnce(async (...asked) => {
    await hub.open(wentBack(theirs))
    return restoreIfBaseLost(...asked)
  })
  await other.open(wentBack(theirs))
  await other.saidAnew()
  expect(database.rejoins).toBe(1)
})

test('[EX6] a first OPEN that is being said while this side begins anew is said again', async () => {
  const { database, own, hub, other } = await twoLinks()
  let takeAck = (): void => undefined
  const ack = new Promise<undefined>((resolve) => {
    takeAck = () => resolve(undefined)
  })
  vi.spyOn(database.gc, 'ackOf').mockReturnValueOnce(ack)
  const starting = other.exchange.start()
  await hub.open(wentBack(new Map([...own, [RID, 1] as const])))
  takeAck()
  await starting
  expect((await other.saidAnew()).frontier).toEqual(NOTHING)
})

test('[GC17] a beginning that found no room is gone on with before the next OPEN', async () => {
  const { database, storage, own, link, hub } = await twoLinks()
  await hub.open({ frontier: own })
  await hub.exchange.receive(syncPointAt(7, own))
  const theirs = new Map([...own, [RID, 1] as const])
  storage.full = 'z/aside/'
  await expect(hub.open(wentBack(theirs))).rejects.toThrow('no room')
  hub.exchange.closed()
  storage.full = undefined
  const again = await link(HUB, true)
  await again.exchange.start()
  expect(again.sent).toEqual([expect.objectContaining({ type: 'open', frontier: NOTHING })])
  expect(again.sent[0]).not.toHaveProperty('cursor')
  await again.open({ frontier: theirs })
  await again.exchange.receive(entries)
  await again.exchange.receive(syncPointAt(1, theirs))
  expect(database.isRejoining).toBe(false)
  expect(again.exchange.isLive).toBe(true)
})
