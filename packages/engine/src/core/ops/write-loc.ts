import {
  type Context,
  type Dot,
  EMPTY_CONTEXT,
  type Loc,
  type NodeEntry,
  type NodeId,
  normalizeDots,
  type Register,
  unionContexts,
} from '@tidemark/protocol'
import { dotsOf, seenOf } from '../register.js'
import { chosenLoc, liveLocs, visibleContents } from '../visibility.js'
import type { NodeDraft } from './node-draft.js'

/** A place in the tree: below which directory node, under which literal name. */
export interface Place {
  readonly parent: NodeId
  readonly name: string
}

/** Where a node stands by the registers that the user saw. */
export function placeOf(entry: NodeEntry): Place | undefined {
  const loc = chosenLoc(entry)
  return loc && { parent: loc.value.parent, name: loc.value.name }
}

/**
 * Puts a node at a place: a creation, a revival, or a new sign of life for a node that others deleted.
 * What moves carried so far stays carried.
 */
export function writePlace(draft: NodeDraft, { parent, name }: Place, alt = false): void {
  const observed = draft.synced.loc
  draft.writeLoc(
    {
      parent,
      name,
      dead: false,
      ...seenField(inheritedSeen(observed)),
      ...heldField(inheritedHeld(draft.synced)),
      ...(alt ? { alt } : {}),
    },
    observed,
  )
}

/** A move or rename: carries every version that the node shows. */
export function writeMove(draft: NodeDraft, { parent, name }: Place): void {
  const observed = draft.synced.loc
  draft.writeLoc(
    {
      parent,
      name,
      from: placeOf(draft.synced)?.parent ?? parent,
      dead: false,
      ...seenField(inheritedSeen(observed)),
      ...heldField(dotsOf(visibleContents(draft.synced))),
    },
    observed,
  )
}

/** A deletion: names exactly the contents that the user saw, so that an edit elsewhere survives it. */
export function writeTombstone(draft: NodeDraft, lastPlace: Place): void {
  const observed = draft.synced.loc
  const seen = unionContexts(inheritedSeen(observed), seenOf(draft.synced.content, draft.known.content))
  draft.writeLoc({ ...lastPlace, dead: true, ...seenField(seen) }, observed)
}

/**
 * Keeps a node where it stood although writes of others would shift it. Leaves deletions uncovered: a pin
 * is nobody's wish, so it never brings a node back.
 *
 * One pin for each living write, so that a deletion that knew one of them takes away its pin too, and what
 * that write had carried, whatever the others say.
 */
export function writePin(draft: NodeDraft, place: Place, alt: boolean): void {
  const live = liveLocs(draft.synced)
  const groups = live.length > 0 ? live.map((sibling) => [sibling]) : [draft.synced.loc.filter(isNotDead)]
  for (const observed of groups) {
    draft.writeLoc(
      {
        parent: place.parent,
        name: place.name,
        dead: false,
        ...seenField(inheritedSeen(observed)),
        ...heldField(live.length > 0 ? observed.flatMap(({ value }) => value.held ?? []) : []),
        pin: normalizeDots(live.length > 0 ? observed.flatMap(({ dot, value }) => value.pin ?? [dot]) : []),
        ...(alt ? { alt } : {}),
      },
      observed,
    )
  }
}

const isNotDead = ({ value }: { readonly value: Loc }): boolean => !value.dead

/** What the deletions behind these siblings knew: every loc write carries it on. */
export function inheritedSeen(observed: Register<Loc>): Context {
  return observed.reduce((all, { value }) => unionContexts(all, value.seen ?? EMPTY_CONTEXT), EMPTY_CONTEXT)
}

function inheritedHeld(entry: NodeEntry): readonly Dot[] {
  return liveLocs(entry).flatMap(({ value }) => value.held ?? [])
}

export const seenField = (seen: Context): { seen?: Context } => (seen.vector.size === 0 ? {} : { seen })

const heldField = (held: readonly Dot[]): { held?: readonly Dot[] } =>
  held.length === 0 ? {} : { held: normalizeDots(held) }
