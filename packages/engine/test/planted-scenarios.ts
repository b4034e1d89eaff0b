import {
  type ChunkId,
  type DeviceId,
  parseSpaceName,
  ROOT,
  type RunId,
  type Vector,
  vectorAtMost,
} from '@tidemark/protocol'
import { MemoryKeyValueStore } from '../src/adapters/memory-store.js'
import { entryKey } from '../src/core/view-entry.js'
import { SpaceDatabase, type SpaceMode } from '../src/database/space-database.js'
import { nodePlatform } from '../src/node/index.js'

/**
 * Short stories for mistakes that random runs do not notice: what replicas hold in the end, in words. The same
 * words with a mistake planted mean that nothing notices it.
 */

const PEER = 'f'.repeat(16) as DeviceId
const NOTHING: Vector = new Map()

class Replica {
  #lseq = 0

  private constructor(readonly database: SpaceDatabase) {}

  static async open(id: string, mode: SpaceMode = 'direct'): Promise<Replica> {
    return new Replica(
      await SpaceDatabase.open({
        storage: new MemoryKeyValueStore(),
        space: parseSpaceName('photos'),
        device: id.repeat(16) as DeviceId,
        mode,
        clock: nodePlatform.clock,
        random: nodePlatform.random,
        sha256: (bytes) => nodePlatform.hasher.sha256(bytes),
      }),
    )
  }

  /** One file, as an import makes it: the same again is the same node. */
  async create(name: string) {
    const content = { root: '1'.repeat(64) as ChunkId, height: 0, size: 1, mtimeMs: 1 }
    const place = { parent: { node: ROOT }, name } as const
    const op = { type: 'create', ref: name, ...place, kind: 'file', content, import: true } as const
    const { created } = await this.database.commit([op])
    return created.get(name)!
  }

  /** All that the other one holds of this node, and all that it knows. */
  async learn(from: Replica, id: Parameters<SpaceDatabase['received']['node']>[0]): Promise<void> {
    const cursor = { run: 'e'.repeat(16) as RunId, lseq: ++this.#lseq }
    const node = await from.database.received.node(id)
    if (node) await this.database.receive(PEER, [node], cursor)
    const { frontier, met } = from.database
    await this.database.syncPoint(PEER, { cursor, frontier, met, floor: NOTHING, lost: NOTHING })
  }

  async shown(): Promise<string> {
    const all: string[] = []
    for await (const page of this.database.received.children(ROOT))
      all.push(...page.map(({ name, version }) => `${name}${version ? '' : ' without contents'}`))
    return all.sort().join(', ') || 'nothing'
  }
}

/** One moves what another deletes: the move carries the contents that it saw. */
async function movedAndDeleted(): Promise<string> {
  const [a, b] = [await Replica.open('a'), await Replica.open('b')]
  const file = await a.create('f')
  await b.learn(a, file.node)
  await a.database.commit([{ type: 'move', entry: entryKey(file), parent: { node: ROOT }, name: 'g' }])
  await b.database.commit([{ type: 'delete', entry: entryKey(file) }])
  await a.learn(b, file.node)
  return a.shown()
}

/** What was collected comes again, from somebody who never heard of the deletion. */
async function collectedAndTold(): Promise<string> {
  const [a, b] = [await Replica.open('a'), await Replica.open('b')]
  const file = await a.create('f')
  await b.learn(a, file.node)
  await a.database.commit([{ type: 'delete', entry: entryKey(file) }])
  const { gc } = a.database
  await gc.setMembers([a.database.device])
  for (let i = 0; i < 3; i++) {
    await gc.acknowledge()
    await gc.collect()
  }
  const isGone = (await a.database.received.node(file.node)) === undefined
  await a.learn(b, file.node)
  return `${isGone ? 'collected' : 'kept'}; ${await a.shown()}`
}

/** One who has collected makes the same file once more, and deletes it; the other still hides its first contents. */
async function collectedAndMadeAgain(): Promise<string> {
  const [a, b] = [await Replica.open('a'), await Replica.open('b')]
  const file = await a.create('f')
  await b.learn(a, file.node)
  await b.database.commit([{ type: 'delete', entry: entryKey(file) }])
  await a.learn(b, file.node)
  const { gc, device } = b.database
  await a.database.gc.takeMembers(await gc.setMembers([a.database.device, device]))
  await a.database.gc.acknowledge()
  await gc.takeAcks(await a.database.gc.acks())
  await gc.acknowledge()
  await gc.collect()
  const again = await b.create('f')
  await b.database.commit([{ type: 'delete', entry: entryKey(again) }])
  await a.learn(b, again.node)
  return a.shown()
}

/** A folder hears of a file that is not on its disk yet. */
async function receivedAndAcknowledged(): Promise<string> {
  const [a, b] = [await Replica.open('a'), await Replica.open('b', 'bound')]
  const file = await a.create('f')
  await b.learn(a, file.node)
  const { gc, device } = b.database
  await gc.setMembers([device])
  await gc.acknowledge()
  const { applied = NOTHING } = (await gc.ackOf(device)) ?? {}
  return vectorAtMost(a.database.frontier, applied) ? 'acknowledged' : 'not acknowledged'
}

export const SCENARIOS = {
  movedAndDeleted,
  collectedAndTold,
  collectedAndMadeAgain,
  receivedAndAcknowledged,
} as const
