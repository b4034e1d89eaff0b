import { type MemoryKeyValueStore, SpaceDatabase } from '@tidemark/engine'
import { type DeviceId, parseSpaceName, type Vector } from '@tidemark/protocol'
import { SPACE } from './device.js'
import { hasher } from './hasher.js'

/** Nobody's device: the copy that is looked at writes nothing. */
const NOBODY = '0'.repeat(16) as DeviceId

/** What the replica with this database has of everybody's writes. Looks at a copy. */
export async function frontierOf(storage: MemoryKeyValueStore): Promise<Vector> {
  const database = await SpaceDatabase.open({
    storage: storage.backup(),
    space: parseSpaceName(SPACE),
    device: NOBODY,
    mode: 'relay',
    clock: { nowMs: () => 0 },
    random: { bytes: (length) => new Uint8Array(length) },
    sha256: hasher.sha256,
  })
  return database.frontier
}
