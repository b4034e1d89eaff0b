import type { NodeId } from '@tidemark/protocol'
import { type Place, writePin } from '../core/ops/write-loc.js'
import type { EntryKey, ViewChange, ViewEntry } from '../core/view-entry.js'
import { chosenLoc } from '../core/visibility.js'
import type { Drafts } from './ops-drafts.js'
import { reviveIfDead } from './ops-rescue.js'
import type { TreeReader } from './tree-reader.js'

/** Changes of a view over several joins: each entry's first `before` and last `after`. */
export class ChangeSet {
  readonly #changes = new Map<EntryKey, ViewChange>()

  add(changes: readonly ViewChange[]): void {
    for (const { key, before, after } of changes) {
      const first = this.#changes.has(key) ? this.#changes.get(key)!.before : before
      this.#changes.set(key, { key, ...(first ? { before: first } : {}), ...(after ? { after } : {}) })
    }
  }

  /** Without entries that are as they were. */
  list(): ViewChange[] {
    return [...this.#changes.values()].filter(
      ({ before, after }) => JSON.stringify(before) !== JSON.stringify(after),
    )
  }
}

/**
 * Writes a pin for each entry that stands elsewhere although no op asked for it, and a living place for
 * each directory that would go because its last child was taken out of it.
 *
 * @param pinned Nodes that have a pin from this batch; grows. A second one could not help.
 * @returns whether something was written.
 */
export async function pinUnasked(options: {
  readonly changes: readonly ViewChange[]
  readonly asked: ReadonlySet<EntryKey>
  readonly synced: TreeReader
  readonly drafts: Drafts
  readonly pinned: Set<NodeId>
}): Promise<boolean> {
  const { changes, asked, synced, drafts, pinned } = options
  let wrote = false
  for (const { key, before, after } of changes) {
    if (!before || asked.has(key)) continue
    const isGoneDirectory = !after && before.kind === 'dir'
    const isShifted = after && (after.parent !== before.parent || after.name !== before.name)
    if (!isGoneDirectory && !isShifted) continue
    for (const id of before.backing) {
      if (pinned.has(id)) continue
      pinned.add(id)
      const draft = await drafts.get(id)
      if (isGoneDirectory) reviveIfDead(draft)
      else await pin(id, before, synced, drafts)
      wrote = true
    }
  }
  return wrote
}

async function pin(id: NodeId, before: ViewEntry, synced: TreeReader, drafts: Drafts): Promise<void> {
  const draft = await drafts.get(id)
  const own = chosenLoc(draft.before)
  if (!own) return
  const { name, alt, parent } = own.value
  const shownParent = await synced.entry(before.parent)
  const place: Place = { parent: shownParent?.backing.includes(parent) ? parent : before.parent, name }
  writePin(draft, place, before.role === 'clash' || (before.role === 'conflict' && alt === true))
}
