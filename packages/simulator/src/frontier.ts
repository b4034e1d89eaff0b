import { type MemoryKeyValueStore, SpaceDatabase } from '@tidemark/engine'
import {
  type DeviceId,
  parseReplicaId,
  parseSpaceName,
  type ReplicaId,
  type Sibling,
  type Vector,
} from '@tidemark/protocol'
import { hasher } from './hasher.js'
import { SPACE } from './space.js'

/** Nobody's device: the copy that is looked at writes nothing. */
const NOBODY = '0'.repeat(16) as DeviceId
/** But for what a database that begins anew brings back when it is opened. */
const COPYS_OWN = parseReplicaId('0'.repeat(16))

/** Rows that name the replica ids of the database's device. */
const OWN = { gte: `s/${SPACE}/i/own/`, lt: `s/${SPACE}/i/own0` }

/** What the replica with this database has of everybody's writes. */
export async function frontierOf(storage: MemoryKeyValueStore): Promise<Vector> {
  return (await openCopy(storage)).frontier
}

/** As `frontierOf`; `undefined` while it takes a peer's state anew. With the ids of which writes were given up. */
export async function historyOf(
  storage: MemoryKeyValueStore,
): Promise<{ readonly frontier: Vector; readonly lost: Vector } | undefined> {
  const { frontier, lost, isRejoining } = await openCopy(storage)
  return isRejoining ? undefined : { frontier: withoutCopys(frontier), lost }
}

/** How many writes its device has made. */
export async function ownWritesOf(storage: MemoryKeyValueStore): Promise<number> {
  const frontier = await frontierOf(storage)
  let count = 0
  for await (const page of storage.range(OWN)) {
    for (const [key] of page) count += frontier.get(key.slice(OWN.gte.length) as ReplicaId) ?? 0
  }
  return count
}

/**
 * How many deleted things its database remembers. Not those of which a write is in nobody's frontier, because
 * whoever made it has lost it: that all have heard of it can never be told.
 */
export async function tombstonesOf(storage: MemoryKeyValueStore): Promise<number> {
  const { gc, received, frontier, lost } = await openCopy(storage)
  const isLost = ({ dot: { rid, seq } }: Sibling<unknown>): boolean =>
    lost.has(rid) && (frontier.get(rid) ?? 0) < seq
  let count = 0
  for await (const page of gc.dead()) {
    for (const id of page) {
      const { loc, content, attr } = (await received.node(id))!
      if (![...loc, ...content, ...attr].some(isLost)) count++
    }
  }
  return count
}

const withoutCopys = (frontier: Vector): Vector => new Map([...frontier].filter(([rid]) => rid !== COPYS_OWN))

function openCopy(storage: MemoryKeyValueStore): Promise<SpaceDatabase> {
  return SpaceDatabase.open({
    storage: storage.backup(),
    space: parseSpaceName(SPACE),
    device: NOBODY,
    mode: 'relay',
    clock: { nowMs: () => 0 },
    random: { bytes: (length) => new Uint8Array(length) },
    sha256: hasher.sha256,
  })
}
