import {
  type ChunkId,
  type Content,
  type Context,
  contextHas,
  type Dot,
  DotIndex,
  dotKey,
  type Loc,
  type NodeEntry,
  type NodeId,
  type Register,
  type Sibling,
  sameDot,
} from '@tidemark/protocol'
import { compareSiblings, maxSibling } from './register.js'

/** Loc siblings that hold the node in the tree: not dead, and not a pin that a deletion knew wholly. */
export function liveLocs(entry: NodeEntry): readonly Sibling<Loc>[] {
  if (!entry.loc.some((sibling) => sibling.value.dead)) return entry.loc
  const dead = entry.loc.filter((sibling) => sibling.value.dead)
  return entry.loc.filter(({ value }) => {
    if (value.dead) return false
    const { pin } = value
    if (!pin) return true
    return !dead.some((tombstone) => pin.every((dot) => contextHas(tombstone.ctx, dot)))
  })
}

/**
 * Content siblings that the user sees: no voids, nothing that a deletion knew unless a move carried it, and nothing
 * that was only written again (`restores`) in the place of what somebody else has replaced.
 */
export function visibleContents(entry: NodeEntry): readonly Sibling<Content>[] {
  const { content } = entry
  const shown = content.filter(({ value }) => value.root !== undefined && !isReplaced(value, content))
  if (!entry.loc.some((sibling) => sibling.value.seen)) return shown
  const isSeen = namedBy(
    entry.loc.flatMap(({ value: { seen } }) => seen ?? []),
    shown.flatMap(({ dot, value: { restores = [] } }) => [dot, ...restores]),
  )
  const isHeld = oneOf(liveLocs(entry).flatMap((sibling) => sibling.value.held ?? []))
  return shown.filter(({ dot, value: { restores = [dot] } }) => {
    if (!isSeen(dot) && !restores.every(isSeen)) return true
    return isHeld(dot) || restores.some(isHeld)
  })
}

/** Nearly all registers are short: looking at each pair is faster than a table. */
const PAIRS_MAX = 64

/** @returns whether one of these contexts names a dot; it is asked about no others than `dots`. */
function namedBy(contexts: readonly Context[], dots: readonly Dot[]): (dot: Dot) => boolean {
  if (contexts.length * dots.length <= PAIRS_MAX) return (dot) => contexts.some((ctx) => contextHas(ctx, dot))
  const left = new DotIndex(dots.map((dot) => ({ dot })))
  const named: Dot[] = []
  for (const ctx of contexts) {
    for (const item of left.namedBy(ctx)) {
      named.push(item.dot)
      left.delete(item)
    }
  }
  return oneOf(named)
}

function oneOf(dots: readonly Dot[]): (dot: Dot) => boolean {
  if (dots.length <= PAIRS_MAX / 8) return (dot) => dots.some((other) => sameDot(other, dot))
  const keys = new Set(dots.map(dotKey))
  return (dot) => keys.has(dotKey(dot))
}

/** Who writes something again has seen it too, and replaces nothing by that. */
function isReplaced({ restores }: Content, content: Register<Content>): boolean {
  if (restores === undefined) return false
  return content.some(
    ({ ctx, value }) => value.restores === undefined && restores.every((dot) => contextHas(ctx, dot)),
  )
}

export const holdsContent = (kind: NodeEntry['kind']): boolean => kind === 'file' || kind === 'symlink'

export function isAlive(entry: NodeEntry): boolean {
  return holdsContent(entry.kind) ? visibleContents(entry).length > 0 : liveLocs(entry).length > 0
}

/** The loc sibling that says where the node stands: a move before a pin before a creation, then the key. */
export function chosenLoc(entry: NodeEntry): Sibling<Loc> | undefined {
  const live = liveLocs(entry)
  if (live.length > 0) return maxPlace(live)
  const notDead = entry.loc.filter((sibling) => !sibling.value.dead)
  return notDead.length > 0 ? maxPlace(notDead) : maxSibling(entry.loc)
}

/** Nothing is known of the node: as if it had never been. */
export const isEmpty = ({ loc, content, attr }: NodeEntry): boolean =>
  loc.length === 0 && content.length === 0 && attr.length === 0

/** Whether the node can stand somewhere: a register whose first place is not known yet cannot. */
export const hasPlace = (entry: NodeEntry): boolean => entry.loc.length > 0

const placeRank = ({ value }: Sibling<Loc>): number => (value.from !== undefined ? 2 : value.pin ? 1 : 0)

/** Order of loc siblings as places: rank, then key. */
export function comparePlaces(a: Sibling<Loc>, b: Sibling<Loc>): number {
  return placeRank(a) - placeRank(b) || compareSiblings(a, b)
}

function maxPlace(siblings: readonly Sibling<Loc>[]): Sibling<Loc> {
  return siblings.reduce((max, sibling) => (comparePlaces(sibling, max) > 0 ? sibling : max))
}

/** Where a node goes whose chosen parent is not there, best first; after these comes the root. */
export function refugesOf(entry: NodeEntry, place: Sibling<Loc>): readonly NodeId[] {
  const refuges = entry.loc
    .filter((sibling) => sibling !== place && !sibling.value.dead)
    .sort((a, b) => compareSiblings(b, a))
    .map((sibling) => sibling.value.parent)
  return place.value.from === undefined ? refuges : [...refuges, place.value.from]
}

/** All visible siblings with one root. */
export interface VersionGroup {
  readonly root: ChunkId
  /** The one with the highest key: its size, mtime and target are shown. */
  readonly top: Sibling<Content>
  /** Ascending. */
  readonly dots: readonly Dot[]
}

/**
 * The versions of a file or symlink. The winner has the node's name, the others are conflict copies; a
 * void with `copies` says that these stay copies although their winner is gone.
 */
export function versions(entry: NodeEntry): {
  winner: VersionGroup | undefined
  copies: readonly VersionGroup[]
} {
  const visible = visibleContents(entry)
  const only = visible[0]
  if (only && entry.content.length === 1) {
    return { winner: { root: only.value.root!, top: only, dots: [only.dot] }, copies: [] }
  }
  const bound = entry.content.flatMap(({ value }) => (value.root === undefined ? (value.copies ?? []) : []))
  const isBound = oneOf(bound)
  const top = maxSibling(visible.filter(({ dot }) => !isBound(dot)))
  const groups = new Map<ChunkId, Sibling<Content>[]>()
  for (const sibling of visible) {
    const root = sibling.value.root!
    const group = groups.get(root)
    if (group) group.push(sibling)
    else groups.set(root, [sibling])
  }
  const all = [...groups].map(
    ([root, siblings]): VersionGroup => ({
      root,
      top: root === top?.value.root ? top : maxSibling(siblings)!,
      dots: siblings.map((sibling) => sibling.dot),
    }),
  )
  const winner = all.find((group) => group.root === top?.value.root)
  const copies = all.filter((group) => group !== winner).sort((a, b) => (a.root < b.root ? -1 : 1))
  return { winner, copies }
}
