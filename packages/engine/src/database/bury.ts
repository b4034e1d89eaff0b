import type { NodeId } from '@tidemark/protocol'
import { lacksTombstone } from '../core/collectable.js'
import { writeTombstone } from '../core/ops/write-loc.js'
import { chosenLoc } from '../core/visibility.js'
import type { WriteContext } from '../core/write-context.js'
import { Drafts } from './ops-drafts.js'
import type { SpaceStore } from './space-store.js'
import type { Transaction } from './transaction.js'
import type { JoinResult } from './tree.js'

/**
 * Gives tombstones to nodes that died without one, by voids of several replicas: without it they would never
 * be collected (semantics-rules B9). A relay writes none.
 */
export async function bury(store: SpaceStore, ids: readonly NodeId[]): Promise<void> {
  if (store.options.mode === 'relay') return
  await store.write(async (txn) => {
    const change = store.vectors.change()
    const writer = store.writer(txn, change)
    const { nodes } = await writeTombstones(txn, store, ids, writer)
    const { lseq } = await store.appendLog(txn, nodes)
    return {
      value: undefined,
      sync: true,
      vectors: change,
      counters: { ...store.counters, lseq, hlc: writer.hlc },
      change: { view: [] },
    }
  })
}

async function writeTombstones(
  txn: Transaction,
  { received, synced = received }: Pick<SpaceStore, 'received' | 'synced'>,
  ids: readonly NodeId[],
  writer: WriteContext,
): Promise<JoinResult> {
  const bare = (await received.nodes(txn, ids)).filter((node) => node !== undefined).filter(lacksTombstone)
  // It shows nothing on any disk: so it has been seen.
  if (synced !== received) await synced.join(txn, bare)
  const drafts = new Drafts({ synced: synced.reader(txn), received: received.reader(txn), clock: writer })
  for (const { id } of bare) {
    const draft = await drafts.get(id)
    writeTombstone(draft, chosenLoc(draft.synced)!.value)
  }
  const written = drafts.takeWritten()
  if (synced !== received) await synced.join(txn, written)
  return received.join(txn, written)
}
