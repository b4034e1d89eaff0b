import { checkName, type NodeEntry, type NodeId } from '@tidemark/protocol'
import type { Place } from '../core/ops/write-loc.js'
import type { UserOp } from '../core/user-op.js'
import type { ViewChange, ViewEntry } from '../core/view-entry.js'
import type { WriteContext } from '../core/write-context.js'
import { anchorTargets } from './ops-anchor.js'
import { Drafts } from './ops-drafts.js'
import { ChangeSet, pinUnasked } from './ops-pin.js'
import { rescueTouched } from './ops-rescue.js'
import { resolveOps } from './ops-resolve.js'
import { OpsWriter } from './ops-write.js'
import type { Transaction } from './transaction.js'
import type { Tree } from './tree.js'

export interface CommitOpsOptions {
  readonly txn: Transaction
  /** What the user saw (S*): contexts are taken from it. */
  readonly synced: Tree
  /** All that is known. The same object as `synced` where there is no disk in between. */
  readonly received: Tree
  readonly ops: readonly UserOp[]
  readonly writer: WriteContext
}

export interface CommittedOps {
  /** Entries made by `create` ops, by `ref`, as the synced view shows them. */
  readonly created: ReadonlyMap<string, ViewEntry>
  /** All changes of the synced view, pins included. */
  readonly changes: readonly ViewChange[]
  /** Changes of the received view (the same list where both trees are one). */
  readonly receivedChanges: readonly ViewChange[]
  /** Nodes of the received tree whose registers changed, as they are now. */
  readonly nodes: readonly NodeEntry[]
}

/**
 * Turns user ops into register writes (pins included), joined into both trees within `txn`. On a throw
 * the transaction must be dropped: then nothing happened, dots that were taken excepted.
 *
 * @throws {PathError} an op names an entry that `synced` does not show, or a name that cannot be.
 */
export async function commitOps(options: CommitOpsOptions): Promise<CommittedOps> {
  const { txn, synced, received, writer } = options
  const syncedReader = synced.reader(txn)
  const receivedReader = received === synced ? syncedReader : received.reader(txn)
  const drafts = new Drafts({ synced: syncedReader, received: receivedReader, clock: writer })
  const ops = new OpsWriter({
    drafts,
    space: writer.space,
    sha256: writer.sha256,
    randomNodeId: () => writer.randomNodeId(),
    findGrave: (kind, place) => synced.graveAt(txn, kind, place),
    prefetch: async ({ ids, graves }) =>
      txn.prefetch([...synced.nodeRows(ids), ...received.nodeRows(ids), ...synced.graveRows(graves)]),
    isShown: async (key) => (await syncedReader.entry(key)) !== undefined,
  })
  await synced.prefetchPlaces(txn, knownPlaces(options.ops))
  const resolved = await resolveOps(options.ops, syncedReader, receivedReader)
  await anchorTargets(resolved, syncedReader, drafts)
  await ops.write(resolved)
  await rescueTouched(ops.touched, drafts)

  const changes = new ChangeSet()
  const nodes = new Map<NodeId, NodeEntry>()
  const written: NodeEntry[] = []
  const pinned = new Set<NodeId>()
  for (let round = 0; ; round++) {
    const batch = drafts.takeWritten()
    for (const node of batch) written.push(node)
    const joined = await synced.join(txn, batch)
    changes.add(joined.changes)
    for (const node of joined.nodes) nodes.set(node.id, node)
    if (round === PIN_ROUNDS_MAX) break
    const list = changes.list()
    if (!(await pinUnasked({ changes: list, asked: ops.asked, synced: syncedReader, drafts, pinned }))) break
  }

  const list = changes.list()
  const created = new Map<string, ViewEntry>()
  for (const [ref, { node, place }] of ops.created) {
    const entry = (await syncedReader.entry(node)) ?? (await syncedReader.lookup(place.parent, place.name))
    // One with another by now, which may stand elsewhere; at its own place something else may be shown.
    const isOther = entry && entry.node !== node && !entry.backing.includes(node)
    const shown = isOther ? list.find(({ after }) => after?.backing.includes(node))?.after : entry
    if (shown) created.set(ref, shown)
  }
  if (received === synced)
    return { created, changes: list, receivedChanges: list, nodes: [...nodes.values()] }
  const joined = await received.join(txn, written)
  return { created, changes: list, receivedChanges: joined.changes, nodes: joined.nodes }
}

/** Places below directories that are there already. @throws {PathError} INVALID_NAME. */
function knownPlaces(ops: readonly UserOp[]): Place[] {
  const places: Place[] = []
  for (const op of ops) {
    if (!('parent' in op) || !('node' in op.parent)) continue
    checkName(op.name)
    places.push({ parent: op.parent.node, name: op.name })
  }
  return places
}

/** A pin may shift another entry, which is pinned in the next round. More than a few rounds never help. */
const PIN_ROUNDS_MAX = 8
