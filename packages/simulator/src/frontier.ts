import { type MemoryKeyValueStore, SpaceDatabase } from '@tidemark/engine'
import { type DeviceId, parseSpaceName, type ReplicaId, type Vector } from '@tidemark/protocol'
import { SPACE } from './device.js'
import { hasher } from './hasher.js'

/** Nobody's device: the copy that is looked at writes nothing. */
const NOBODY = '0'.repeat(16) as DeviceId

/** Rows that name the replica ids of the database's device. */
const OWN = { gte: `s/${SPACE}/i/own/`, lt: `s/${SPACE}/i/own0` }

/** What the replica with this database has of everybody's writes. */
export async function frontierOf(storage: MemoryKeyValueStore): Promise<Vector> {
  return (await openCopy(storage)).frontier
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
