import { type ChunkId, dotKey, type NodeId } from '@tidemark/protocol'
import { type VersionGroup, versions, visibleContents } from '../visibility.js'
import type { NodeDraft } from './node-draft.js'
import { writeCopyVoid, writeWinnerVoid } from './write-content.js'
import { placeOf, writeTombstone } from './write-loc.js'

/** `delete`: the user removed the version. `split`: it goes on as a node of its own. */
export type RemovalCause = 'delete' | 'split'

/** Versions that one batch takes away from one node, by what the user saw before the batch. */
export interface NodeRemovals {
  winner?: RemovalCause
  readonly copies: Map<ChunkId, RemovalCause>
}

/** All versions that a batch takes away, by node. */
export class Removals {
  readonly #byNode = new Map<NodeId, NodeRemovals>()

  winner(id: NodeId, cause: RemovalCause): void {
    this.#of(id).winner = cause
  }

  copy(id: NodeId, root: ChunkId, cause: RemovalCause): void {
    this.#of(id).copies.set(root, cause)
  }

  /** Whether conflict copies of the node stay when the batch is done. */
  leavesCopies(draft: NodeDraft): boolean {
    const removed = this.#byNode.get(draft.id)?.copies
    return versions(draft.before).copies.some(({ root }) => !removed?.has(root))
  }

  entries(): Iterable<[NodeId, NodeRemovals]> {
    return this.#byNode
  }

  #of(id: NodeId): NodeRemovals {
    let removals = this.#byNode.get(id)
    if (!removals) {
      removals = { copies: new Map() }
      this.#byNode.set(id, removals)
    }
    return removals
  }
}

/**
 * Takes versions away: by voids while something else of the node stays visible, else by a tombstone. A
 * version that went on as another node gets its void in any case: a move elsewhere must not show it twice.
 *
 * @returns whether the node got a tombstone.
 */
export function writeRemovals(draft: NodeDraft, removals: NodeRemovals): boolean {
  const before = versions(draft.before)
  const winner = removals.winner ? before.winner : undefined
  const copies = before.copies.filter(({ root }) => removals.copies.has(root))
  const gone = new Set([...(winner?.dots ?? []), ...copies.flatMap(({ dots }) => dots)].map(dotKey))
  const isLast = visibleContents(draft.synced).every(({ dot }) => gone.has(dotKey(dot)))
  const needsVoid = (cause: RemovalCause | undefined) => !isLast || cause === 'split'
  for (const copy of copies) if (needsVoid(removals.copies.get(copy.root))) writeCopyVoid(draft, copy)
  if (winner && needsVoid(removals.winner)) writeWinnerVoid(draft, stillThere(draft, winner))
  const place = placeOf(draft.before)
  if (!isLast || !place) return false
  writeTombstone(draft, place)
  return true
}

function stillThere(draft: NodeDraft, { dots }: VersionGroup) {
  const held = new Set(draft.synced.content.map(({ dot }) => dotKey(dot)))
  return dots.filter((dot) => held.has(dotKey(dot)))
}
