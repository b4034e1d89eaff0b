import type { NodeId, NodeKind } from '@tidemark/protocol'
import { placeOf } from '../core/ops/write-loc.js'
import { isAlive, isEmpty } from '../core/visibility.js'
import type { KeyValueReader } from '../ports/key-value-store.js'
import type { Transaction } from './transaction.js'
import type { NodeChange } from './tree-placement.js'
import { decodeRow, encodeRow, type TreeKeys } from './tree-rows.js'

const NOTHING = new Uint8Array(0)

/**
 * Keeps which nodes are dead by themselves, for their collection. And, for each place where a node died, the id of one such node, so that a creation at that place is a
 * new life of it instead of one more tombstone. Only a hint: whoever uses it looks at the node.
 */
export async function updateGraves(
  txn: Transaction,
  keys: TreeKeys,
  changes: ReadonlyMap<NodeId, NodeChange>,
): Promise<void> {
  for (const [id, { before, after }] of changes) {
    const isDead = !isAlive(after) && !isEmpty(after)
    const wasDead = before !== undefined && !isAlive(before)
    if (isDead) txn.put(keys.dead(id), NOTHING)
    else if (wasDead) txn.del(keys.dead(id))
    if (isDead) {
      const place = placeOf(after)
      if (place) txn.put(keys.grave(after.kind, place.parent, place.name), encodeRow(id))
    } else if (wasDead) {
      const place = placeOf(before)
      if (!place) continue
      const key = keys.grave(after.kind, place.parent, place.name)
      if (decodeRow<NodeId>(await txn.get(key)) === id) txn.del(key)
    }
  }
}

export async function readGrave(
  kv: KeyValueReader,
  keys: TreeKeys,
  kind: NodeKind,
  place: { readonly parent: NodeId; readonly name: string },
): Promise<NodeId | undefined> {
  return decodeRow<NodeId>(await kv.get(keys.grave(kind, place.parent, place.name)))
}
