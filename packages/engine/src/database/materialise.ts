import type { NodeEntry } from '@tidemark/protocol'
import type { Materialised } from '../binding.js'
import { joinEntries } from '../core/register.js'
import { sameSiblings } from '../core/same-siblings.js'
import { type EntryKey, sameEntry } from '../core/view-entry.js'
import type { KeyValueOp } from '../ports/key-value-store.js'
import type { SpaceStore } from './space-store.js'
import type { Transaction } from './transaction.js'

/** See `SpaceBinding.materialised`. */
export async function materialise(
  store: SpaceStore,
  done: readonly Materialised[],
  rows: readonly KeyValueOp[],
  { sync, touch = [] }: { readonly sync: boolean; readonly touch?: readonly EntryKey[] },
): Promise<void> {
  const { synced } = store
  if (!synced) throw new TypeError('the space is not bound')
  await store.write(async (txn) => {
    const { changes } = await synced.join(txn, await stillKnown(store, txn, done))
    await txn.prefetch(store.received.entryRows(done.map(({ key }) => key)))
    const received = store.received.reader(txn)
    const clean: EntryKey[] = []
    for (const { key, as, nodes } of done) {
      if (!sameEntry(await received.entry(key), as)) continue
      // The entry may have been read after newer registers came, these before: then they are still to come.
      const now = await store.received.nodes(
        txn,
        nodes.map(({ id }) => id),
      )
      if (nodes.every((node, i) => sameSiblings(node, now[i]))) clean.push(key)
    }
    await store.marks.clear(txn, clean)
    const planned = new Set(done.map(({ key }) => key))
    const shifted = changes.filter(({ key }) => !planned.has(key))
    const marked = await store.dirtyTracker!.different(txn, shifted, store.counters.dirty)
    const dirty = await store.marks.mark(txn, touch, marked)
    store.putRows(txn, rows)
    // The pass that called may have looked at them already: another one is wanted.
    const more = dirty > store.counters.dirty ? { change: { view: [] } } : {}
    return { value: undefined, sync, counters: { ...store.counters, dirty }, ...more }
  })
}

/** Without what was collected, or forgotten, since the caller read it. */
async function stillKnown(
  store: SpaceStore,
  txn: Transaction,
  done: readonly Materialised[],
): Promise<NodeEntry[]> {
  const nodes = done.flatMap((item) => item.nodes)
  const now = await store.received.nodes(
    txn,
    nodes.map(({ id }) => id),
  )
  return nodes.filter((node, i) => now[i] && joinEntries(now[i], node) === now[i])
}
