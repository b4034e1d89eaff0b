import type { Loc, NodeId } from '@tidemark/protocol'
import type { NodeDraft } from '../core/ops/node-draft.js'
import { type Place, writePin, writePlace } from '../core/ops/write-loc.js'
import { type EntryKey, sameEntry, type ViewChange, type ViewEntry } from '../core/view-entry.js'
import { chosenLoc, liveLocs } from '../core/visibility.js'
import type { Drafts } from './ops-drafts.js'
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
    return [...this.#changes.values()].filter(({ before, after }) => !sameEntry(before, after))
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
      const place = await placeBefore(draft, before, synced)
      if (!isGoneDirectory) writePin(draft, place, place.alt)
      else if (liveLocs(draft.synced).length === 0) writePlace(draft, place, place.alt)
      wrote = true
    }
  }
  return wrote
}

/** Where the entry stood, in the node's own terms: its literal name, not the one with a suffix. */
async function placeBefore(
  draft: NodeDraft,
  before: ViewEntry,
  synced: TreeReader,
): Promise<Place & { readonly alt: boolean }> {
  const own: Loc | undefined = chosenLoc(draft.before)?.value
  const { name, parent } = own ?? before
  const shownParent = await synced.entry(before.parent)
  return {
    parent: shownParent?.backing.includes(parent) ? parent : before.parent,
    name,
    alt: before.role === 'clash' || (before.role === 'conflict' && own?.alt === true),
  }
}
