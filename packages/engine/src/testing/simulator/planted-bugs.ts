import type { Message, NodeEntry, NodeId, ReplicaId, Vector } from '@tidemark/protocol'
import { SpaceDatabase, type SpaceDatabaseOptions } from '../../database/space-database.js'
import type { Clock } from '../../ports/clock.js'
import type { Random } from '../../ports/random.js'
import type { ExchangeMessage } from '../../session/session.js'
import { SpaceExchange } from '../../session/space-exchange.js'
import type { SpaceExchangeOptions } from '../../session/space-exchange-options.js'

/**
 * Mistakes that a test puts in to see that the simulator finds them. They wrap the real classes; nothing
 * of them is in the engine.
 */
export type PlantedBug = (typeof PLANTED_BUGS)[number]

export const PLANTED_BUGS = [
  /** What a user writes covers what was received, seen or not. Only a bound space tells the two apart. */
  'context-from-latest-state',
  /** The frontier takes in the dots of each frame. */
  'frontier-before-sync-point',
  /** Every cursor is good. */
  'cursor-kept-over-rollback',
  /** A database that was opened again goes on under its old replica id. */
  'dots-used-twice',
  /** What came from the peer once is never sent to it again, whoever changed it since. */
  'echo-by-node',
  /** Every sync point is answered. */
  'answers-every-sync-point',
  /** A receiver believes that it has what it lost in a crash. */
  'cursor-before-entries',
  /** What this replica has applied is collected, whatever the others say. */
  'collects-alone',
  /** What has been dead for a while is collected, whoever has not heard of it. */
  'collects-by-age',
  /** Deletions are not passed on: whoever lacks a node lacks nothing. */
  'tombstones-dropped',
  /** A hub that has refused reads on: a refusal that is lost is an acknowledgement. */
  'refusal-as-acknowledgement',
  /** Of the writes that were refused together the first one stays. */
  'takes-back-in-part',
] as const

export type Endpoint = Pick<SpaceExchange, 'start' | 'receive' | 'closed' | 'tellMembers'>

export async function plantedDatabase(
  bug: PlantedBug | undefined,
  options: SpaceDatabaseOptions,
): Promise<SpaceDatabase> {
  const database = await SpaceDatabase.open(options)
  if (bug === 'cursor-kept-over-rollback') database.isGoodCursor = () => true
  if (bug === 'takes-back-in-part') takeBackInPart(database)
  if (bug === 'collects-alone') collectAlone(database)
  if (bug === 'collects-by-age') collectByAge(database, options.clock)
  if (bug === 'context-from-latest-state' && options.mode === 'bound') observeEverything(database)
  return database
}

/** @param index Of the site. */
export function plantedRandom(bug: PlantedBug | undefined, random: Random, index: number): Random {
  if (bug !== 'dots-used-twice') return random
  let ids = 0
  // The first id of an open is the replica's; only that one repeats.
  return {
    bytes: (length) =>
      length === 8 && ids++ === 0 ? new Uint8Array(8).fill(index + 1) : random.bytes(length),
  }
}

export function plantedExchange(bug: PlantedBug | undefined, options: SpaceExchangeOptions): Endpoint {
  switch (bug) {
    case 'frontier-before-sync-point':
      return earlyFrontier(options)
    case 'cursor-kept-over-rollback':
      return trusting(options)
    case 'echo-by-node':
      return echoByNode(options)
    case 'answers-every-sync-point':
      return talkative(options)
    case 'cursor-before-entries':
      return cursorFirst(options)
    case 'tombstones-dropped':
      return withoutTombstones(options)
    case 'refusal-as-acknowledgement':
      return readingOn(options)
    default:
      return new SpaceExchange(options)
  }
}

/** An exchange whose incoming messages pass `before`. */
function listening(
  options: SpaceExchangeOptions,
  before: (message: ExchangeMessage) => Promise<ExchangeMessage>,
): Endpoint {
  const exchange = new SpaceExchange(options)
  return {
    start: () => exchange.start(),
    receive: async (message) => exchange.receive(await before(message)),
    closed: () => exchange.closed(),
    tellMembers: () => exchange.tellMembers(),
  }
}

function earlyFrontier(options: SpaceExchangeOptions): Endpoint {
  const { database, peer } = options
  const exchange = new SpaceExchange(options)
  return {
    start: () => exchange.start(),
    closed: () => exchange.closed(),
    tellMembers: () => exchange.tellMembers(),
    receive: async (message) => {
      await exchange.receive(message)
      if (message.type !== 'entries') return
      const { run, lseq } = message
      const frontier = new Map<ReplicaId, number>()
      for (const { dot } of message.entries.flatMap(siblingsOf)) {
        frontier.set(dot.rid, Math.max(dot.seq, frontier.get(dot.rid) ?? 0))
      }
      await database.syncPoint(peer, {
        cursor: { run, lseq },
        frontier,
        met: new Map(),
        lost: new Map(),
        floor: new Map(),
      })
    },
  }
}

const trusting = (options: SpaceExchangeOptions): Endpoint =>
  listening(options, async (message) =>
    message.type === 'open' ? { ...message, remembered: new Map() } : message,
  )

function echoByNode(options: SpaceExchangeOptions): Endpoint {
  const came = new Set<NodeId>()
  const send = async (message: Message): Promise<void> => {
    if (message.type !== 'entries') return options.send(message)
    const entries = message.entries.filter(({ id }) => !came.has(id))
    if (entries.length > 0) await options.send({ ...message, entries })
  }
  return listening({ ...options, send }, async (message) => {
    if (message.type === 'entries') for (const { id } of message.entries) came.add(id)
    return message
  })
}

function talkative(options: SpaceExchangeOptions): Endpoint {
  const { database, channel, send } = options
  return listening(options, async (message) => {
    if (message.type === 'sync-point') {
      // With nothing in it that could be wrong.
      const nothing = { frontier: new Map(), met: new Map(), lost: [], floor: new Map() }
      void send({ type: 'sync-point', channel, run: database.run, lseq: 0, ...nothing })
    }
    return message
  })
}

function cursorFirst(options: SpaceExchangeOptions): Endpoint {
  const { database, peer } = options
  return listening(options, async (message) => {
    if (message.type === 'entries') {
      const { frontier } = await database.peer(peer)
      const cursor = { run: message.run, lseq: message.lseq }
      await database.syncPoint(peer, { cursor, frontier, met: new Map(), lost: new Map(), floor: new Map() })
    }
    return message
  })
}

/** Takes every member for as far as this replica. */
function collectAlone({ gc, device }: SpaceDatabase): void {
  gc.acks = async () => {
    const own = await gc.ackOf(device)
    return own ? gc.members.devices.map((member) => ({ ...own, device: member, stable: own.applied })) : []
  }
}

/** Long enough that most have heard of everything, milliseconds. */
const TTL_MS = 30_000

/** Takes every member for as far as this replica was some time ago. */
function collectByAge({ gc, device }: SpaceDatabase, clock: Clock): void {
  const said: { readonly atMs: number; readonly applied: Vector }[] = []
  gc.acks = async () => {
    const own = await gc.ackOf(device)
    if (!own) return []
    said.push({ atMs: clock.nowMs(), applied: own.applied })
    const applied = said.findLast(({ atMs }) => atMs < clock.nowMs() - TTL_MS)?.applied ?? new Map()
    return gc.members.devices.map((member) => ({ ...own, device: member, applied, stable: applied }))
  }
}

function withoutTombstones(options: SpaceExchangeOptions): Endpoint {
  const send = async (message: Message): Promise<void> => {
    if (message.type !== 'entries') return options.send(message)
    const entries = message.entries.filter(({ loc }) => !loc.some(({ value }) => value.dead))
    await options.send({ ...message, entries })
  }
  return new SpaceExchange({ ...options, send })
}

/** Takes what it does not refuse as if that were all of the frame. */
function readingOn({ refuse, ...options }: SpaceExchangeOptions): Endpoint {
  const { database, channel, peer, send } = options
  if (!refuse) return new SpaceExchange(options)
  return listening(options, async (message) => {
    if (message.type !== 'entries') return message
    const refusals = await database.refusals.judge(peer, message.entries, refuse)
    if (refusals.length === 0) return message
    void send({ type: 'reject', channel, refusals })
    const refused = new Set<string>(refusals.map(({ node }) => node))
    return { ...message, entries: message.entries.filter(({ id }) => !refused.has(id)) }
  })
}

function takeBackInPart({ refusals }: SpaceDatabase): void {
  const takeBack = refusals.takeBack.bind(refusals)
  refusals.takeBack = (list) => takeBack(list.map((refusal) => ({ ...refusal, dots: refusal.dots.slice(1) })))
}

/** Before each commit the synced tree takes in all that was received of the nodes that it concerns. */
function observeEverything(database: SpaceDatabase): void {
  const commit = database.commit.bind(database)
  database.commit = async (ops, rows) => {
    const chosen = typeof ops === 'function' ? await ops(database.synced) : ops
    const nodes: NodeEntry[] = []
    for (const op of chosen) {
      const id = 'entry' in op ? (op.entry.split(':')[0] as NodeId) : undefined
      const node = id && (await database.received.node(id))
      if (node) nodes.push(node)
    }
    await database.materialised([{ key: '', as: undefined, nodes }], [], { sync: false })
    return commit(chosen, rows)
  }
}

const siblingsOf = (entry: NodeEntry) => [...entry.loc, ...entry.content, ...entry.attr]
