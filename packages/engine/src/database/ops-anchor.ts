import { type NodeId, ROOT } from '@tidemark/protocol'
import { writePin } from '../core/ops/write-loc.js'
import type { ParentRef } from '../core/user-op.js'
import { chosenLoc } from '../core/visibility.js'
import type { Drafts } from './ops-drafts.js'
import type { ResolvedOps } from './ops-resolve.js'
import type { TreeReader } from './tree-reader.js'

/**
 * Before directories are moved: pins those above their new places that only stand where they do because a
 * cycle was cut (or a parent is missing). The way up must be one by the registers too: else the newest
 * move, which is the user's, would be the one that the next cut undoes.
 */
export async function anchorTargets(
  { creates, entries }: ResolvedOps,
  synced: TreeReader,
  drafts: Drafts,
): Promise<void> {
  const createdIn = new Map(creates.map(({ ref, parent }) => [ref, parent]))
  const visited = new Set<string>([ROOT])
  for (const { entry, move } of entries.values()) {
    let at: ParentRef | undefined = entry.kind === 'dir' ? move?.parent : undefined
    while (at) {
      const id: string = 'node' in at ? at.node : `ref:${at.ref}`
      if (visited.has(id)) break
      visited.add(id)
      if ('ref' in at) at = createdIn.get(at.ref)
      else at = entries.get(id)?.move?.parent ?? (await anchor(at.node, synced, drafts))
    }
  }
}

/** @returns the directory above, as the user saw it. */
async function anchor(dir: NodeId, synced: TreeReader, drafts: Drafts): Promise<ParentRef | undefined> {
  const entry = await synced.entry(dir)
  if (!entry) return undefined
  const above = entry.parent === ROOT ? [ROOT] : ((await synced.entry(entry.parent))?.backing ?? [])
  for (const id of entry.backing) {
    const draft = await drafts.get(id)
    const place = chosenLoc(draft.synced)?.value
    if (!place || above.includes(place.parent)) continue
    writePin(draft, { parent: entry.parent, name: place.name }, entry.role === 'clash')
  }
  return { node: entry.parent }
}
