import { type NodeId, ROOT } from '@tidemark/protocol'
import type { NodeDraft } from '../core/ops/node-draft.js'
import { rewriteContents } from '../core/ops/write-content.js'
import { placeOf, writePlace } from '../core/ops/write-loc.js'
import { chosenLoc, holdsContent, liveLocs } from '../core/visibility.js'
import type { Drafts } from './ops-drafts.js'

/**
 * Gives each node that the user touched, and each directory above it, a living place again if somebody
 * else's deletion, not seen by this user, took it away: edit and delete, or new child and directory delete,
 * both end with the user's work in the tree.
 */
export async function rescueTouched(touched: Iterable<NodeId>, drafts: Drafts): Promise<void> {
  const visited = new Set<NodeId>([ROOT])
  for (const start of touched) {
    let id: NodeId | undefined = start
    while (id !== undefined && !visited.has(id)) {
      visited.add(id)
      const draft: NodeDraft | undefined = await drafts.find(id)
      if (!draft) break
      reviveIfDead(draft)
      id = placeOf(draft.synced)?.parent
    }
  }
}

/** A living place where the user saw the node, if nobody has it alive any more. */
function reviveIfDead(draft: NodeDraft): void {
  const wasCollected = !draft.wasReceived && draft.before.loc.length > 0
  const wroteLoc = draft.synced.loc !== draft.before.loc
  const place = chosenLoc(draft.synced)
  if (place && (liveLocs(draft.known).length === 0 || (wasCollected && !wroteLoc))) {
    writePlace(draft, place.value, place.value.alt)
  }
  if (wasCollected && holdsContent(draft.kind)) rewriteContents(draft)
}
